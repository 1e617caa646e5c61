// ObjectTemplate: a list of attributes with their values, to search for objects or to make them.
#ifndef LINESIGN_HSM_PKCS11_OBJECT_TEMPLATE_H_
#define LINESIGN_HSM_PKCS11_OBJECT_TEMPLATE_H_

#include <string_view>
#include <utility>
#include <vector>

#include <p11-kit/pkcs11.h>

#include "protocol/base/bytes.h"

namespace linesign {

class ObjectTemplate final {
 public:
  ObjectTemplate& flag(CK_ATTRIBUTE_TYPE type, bool value);
  ObjectTemplate& number(CK_ATTRIBUTE_TYPE type, CK_ULONG value);
  ObjectTemplate& bytes(CK_ATTRIBUTE_TYPE type, ByteView value);
  ObjectTemplate& text(CK_ATTRIBUTE_TYPE type, std::string_view value);

  // For the C calls. Points into this template.
  std::vector<CK_ATTRIBUTE> attributes() const;

 private:
  std::vector<std::pair<CK_ATTRIBUTE_TYPE, Bytes>> values_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_OBJECT_TEMPLATE_H_
