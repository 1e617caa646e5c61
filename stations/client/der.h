// Der: just enough strict DER to find the parts of a CSR and of a certificate, and to write a CSR.
//
// OpenSSL's own decoders cost 100 us for each public key and share a lock between threads; a lot
// of 1,000,000 would feel it.
//
// Limits   definite minimal lengths up to 2^24 - 1, one-byte tags; anything else is "absent"
// Threads  no state, safe anywhere
// Source   X.690 section 10; RFC 2986 section 4; RFC 5280 section 4.1
#ifndef LINESIGN_STATIONS_CLIENT_DER_H_
#define LINESIGN_STATIONS_CLIENT_DER_H_

#include <array>
#include <initializer_list>
#include <optional>
#include <string>

#include "protocol/base/bytes.h"

namespace linesign::client {

constexpr uint8_t kDerInteger = 0x02;
constexpr uint8_t kDerBitString = 0x03;
constexpr uint8_t kDerOctetString = 0x04;
constexpr uint8_t kDerOid = 0x06;
constexpr uint8_t kDerUtf8String = 0x0c;
constexpr uint8_t kDerBmpString = 0x1e;
constexpr uint8_t kDerSequence = 0x30;
constexpr uint8_t kDerSet = 0x31;

struct DerValue {
  uint8_t tag = 0;
  ByteView content;
  ByteView whole;  // header and content
};

class DerReader final {
 public:
  explicit DerReader(ByteView bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }
  std::optional<DerValue> next();
  // Absent when the next value has another tag.
  std::optional<DerValue> next(uint8_t tag);
  bool skip_if(uint8_t tag);  // consumes one value of this tag, if it is the next one

 private:
  ByteView rest_;
};

// All views point into the DER that was parsed.
struct CsrOutline {
  ByteView subject;  // Name
  ByteView spki;     // SubjectPublicKeyInfo
};

struct CertificateOutline {
  ByteView tbs;                  // what the signature covers
  ByteView issuer;               // Name
  ByteView subject;              // Name
  ByteView spki;                 // SubjectPublicKeyInfo
  ByteView signature_algorithm;  // AlgorithmIdentifier
  ByteView signature;            // the octets of the BIT STRING
};

std::optional<CsrOutline> outline_csr(ByteView der);
std::optional<CertificateOutline> outline_certificate(ByteView der);

// The SubjectPublicKeyInfo of a CSR; empty if it does not parse.
ByteView key_in_csr(ByteView der);

// Attribute types of a Name: the octets of the OBJECT IDENTIFIER.
constexpr std::array<uint8_t, 3> kDerCommonNameType = {0x55, 0x04, 0x03};    // 2.5.4.3
constexpr std::array<uint8_t, 3> kDerSerialNumberType = {0x55, 0x04, 0x05};  // 2.5.4.5

// The first attribute of the wanted type in a Name; characters beyond one byte come out as '?'.
std::optional<std::string> find_attribute(ByteView name, ByteView wanted);
std::optional<std::string> find_common_name(ByteView name);

// header || content
Bytes der_value(uint8_t tag, ByteView content);
// header || the parts, one after the other
Bytes der_value(uint8_t tag, std::initializer_list<ByteView> parts);

// "-----BEGIN label-----" and so on, 64 characters a line.
std::string to_pem(std::string_view label, ByteView der);

// Base64 without any blanks or line breaks.
std::optional<Bytes> decode_base64(std::string_view text);

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_DER_H_
