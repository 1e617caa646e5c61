#include "hsm/x509/name_text.h"

#include <array>

#include <openssl/bio.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "hsm/x509/handles.h"
#include "hsm/x509/openssl_error.h"

namespace linesign {

std::string name_text(const X509_NAME* name) {
  const Bio bio{BIO_new(BIO_s_mem())};
  constexpr unsigned long kFlags =
      XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
  if (bio == nullptr || X509_NAME_print_ex(bio.get(), name, 0, kFlags) < 0) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
}

std::string object_id_text(ByteView der) {
  const unsigned char* position = der.data();
  const Asn1Object id{d2i_ASN1_OBJECT(nullptr, &position, static_cast<long>(der.size()))};
  const int nid = OBJ_obj2nid(id.get());
  if (nid != NID_undef) return OBJ_nid2sn(nid);
  std::array<char, 80> dotted{};  // a longer one is cut off
  if (id != nullptr && OBJ_obj2txt(dotted.data(), dotted.size(), id.get(), 1) > 0) {
    return dotted.data();
  }
  clear_openssl_errors();
  return "an unknown object identifier";
}

}  // namespace linesign
