#include "hsm/pkcs11/object_template.h"

namespace linesign {

ObjectTemplate& ObjectTemplate::bytes(CK_ATTRIBUTE_TYPE type, ByteView value) {
  values_.emplace_back(type, to_bytes(value));
  return *this;
}

ObjectTemplate& ObjectTemplate::flag(CK_ATTRIBUTE_TYPE type, bool value) {
  const CK_BBOOL byte = value ? CK_TRUE : CK_FALSE;
  return bytes(type, ByteView(&byte, 1));
}

ObjectTemplate& ObjectTemplate::number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
  return bytes(type, ByteView(reinterpret_cast<const uint8_t*>(&value), sizeof(value)));
}

ObjectTemplate& ObjectTemplate::text(CK_ATTRIBUTE_TYPE type, std::string_view value) {
  return bytes(type, as_bytes(value));
}

std::vector<CK_ATTRIBUTE> ObjectTemplate::attributes() const {
  std::vector<CK_ATTRIBUTE> list;
  list.reserve(values_.size());
  // The C interface takes a pointer to non-const and does not write through it.
  for (const auto& [type, value] : values_)
    list.push_back({type, const_cast<uint8_t*>(value.data()), value.size()});
  return list;
}

}  // namespace linesign
