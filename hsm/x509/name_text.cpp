#include "hsm/x509/name_text.h"

#include <openssl/bio.h>
#include <openssl/x509.h>

#include "hsm/x509/handles.h"

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

}  // namespace linesign
