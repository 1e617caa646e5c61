// Pkcs11Uri: the parts of a "pkcs11:" URI that linesign uses.
//
// Shape    "pkcs11:" path attributes separated by ";" [ "?" query attributes separated by "&" ]
// Limits   kMaxUriBytes; an attribute may stand once
// Errors   InputInvalid with the position or name of what is wrong. pin-value is refused: a PIN
//          does not belong into a configuration file. Attributes that would narrow the choice and
//          that linesign does not compare (slot-id, library-...) are refused, not ignored.
// Threads  no state, safe anywhere
// Source   RFC 7512 section 2.3
#ifndef LINESIGN_HSM_PKCS11_URI_H_
#define LINESIGN_HSM_PKCS11_URI_H_

#include <string>
#include <string_view>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

namespace linesign {

constexpr size_t kMaxUriBytes = 1024;

// Empty: the attribute is absent.
struct Pkcs11Uri {
  std::string token;         // label of the token
  std::string serial;        // serial number of the token
  std::string manufacturer;  // of the token; for people, not compared
  std::string model;         // of the token; for people, not compared
  std::string object;        // label of the key
  Bytes id;                  // CKA_ID of the key
  std::string module_path;   // query: absolute path of the module
  std::string pin_source;    // query: absolute path of a file, given as path or file: URI
};

Result<Pkcs11Uri> parse_pkcs11_uri(std::string_view text);

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_URI_H_
