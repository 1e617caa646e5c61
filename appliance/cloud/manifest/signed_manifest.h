// SignedManifest: what was made, device by device, so that others can check that it is all there.
//
// Shape    one JSON object, UTF-8, one device in each line, always the same bytes for a range:
//            {"linesign_manifest":2,"order":"…","devices":[
//            {"sequence":1,"device_id":"…","serial":"…","certificate_id":"…","ca":0,
//              "committed_at":"…"}
//            ,{"sequence":2,…}
//            ],"ca_certificate_ids":["…"],"range":{"first":1,"last":2},"count":2,
//              "first_sequence":1,"last_sequence":2,"range_sha256":"…","ledger_head":null}
//          Indented lines belong to the one above. ca: place in ca_certificate_ids, which stand in
//          the order of first use, of the CA that signed the certificate: SHA-256 of its DER form;
//          range: the numbers of the ledger that were looked at; first_ and last_sequence: of the
//          devices in it, 0 if there are none; range_sha256: certificate_range.h. ledger_head is
//          kept free for the ledger's own signed head.
//          Beside it PATH.p7s: a detached CMS signature over all bytes of the file
// Limits   a line of kMaxManifestLine bytes, which is enough for kMaxRangeCas CAs; constant memory
// Errors   ManifestMalformed with path and line; ManifestSignatureWrong; ManifestIncomplete; Io
// Threads  one
// Source   RFC 8259, RFC 5652; docs/aws.md
#ifndef LINESIGN_APPLIANCE_CLOUD_MANIFEST_SIGNED_MANIFEST_H_
#define LINESIGN_APPLIANCE_CLOUD_MANIFEST_SIGNED_MANIFEST_H_

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/cloud/manifest/certificate_range.h"
#include "hsm/x509/cms_signature.h"

namespace linesign {

constexpr size_t kMaxManifestLine = 4096;

struct ManifestHead {
  std::string order;

  bool operator==(const ManifestHead&) const = default;
};

// The lines, each with its newline.
std::string manifest_begin(const ManifestHead& head);
std::string manifest_device(const LedgerCertificate& certificate, size_t ca, bool is_first);
std::string manifest_end(const RangeSummary& summary);

std::filesystem::path signature_path(const std::filesystem::path& manifest);

struct CheckedManifest {
  std::filesystem::path path;
  ManifestHead head;
  RangeSummary summary;
  CmsSigner signer;
};

// Signature by one of `trusted`, form, count, order and range hash.
Result<CheckedManifest> check_manifest(const std::filesystem::path& path,
                                       std::span<const Bytes> trusted);

// Manifests of one order that follow each other without a gap and without an overlap, in whatever
// order they are given. ManifestIncomplete names what is missing.
Result<void> check_sequence(std::vector<CheckedManifest> manifests);

// The ledger has the same certificates in this range.
Result<void> compare_with_ledger(const CheckedManifest& manifest, const CertificateSource& source);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_MANIFEST_SIGNED_MANIFEST_H_
