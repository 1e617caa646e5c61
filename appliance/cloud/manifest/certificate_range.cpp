#include "appliance/cloud/manifest/certificate_range.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "hsm/x509/csr.h"
#include "hsm/x509/digest.h"

namespace linesign {
namespace {

constexpr uint32_t kRangePage = kMaxCertificatePage;

class RangeWalk final {
 public:
  RangeWalk(const SequenceRange& range, const TakeCertificate& take) : range_(range), take_(take) {
    summary_.first = range.first;
    summary_.last = range.last.value_or(range.first - 1);
  }

  // True: the end is reached.
  Result<bool> take_page(const CertificatePage& page) {
    const bool is_open = page.first_open_intent.has_value();
    if (is_open && range_.last && *page.first_open_intent <= *range_.last)
      return fail(still_open(*page.first_open_intent - 1));
    for (const LedgerCertificate& each : page.certificates) {
      const bool is_beyond = range_.last ? each.issuance_id > *range_.last
                                         : is_open && each.issuance_id > *page.first_open_intent;
      if (is_beyond) return true;
      LS_CHECK(add(each));
    }
    if (range_.last && page.next_after >= *range_.last) return true;
    if (!page.is_end) return is_open && !range_.last && page.next_after > *page.first_open_intent;
    if (range_.last) return fail(still_open(page.next_after));
    if (summary_.count == 0 && range_.first > page.newest + 1) return fail(beyond(page.newest));
    return true;
  }

  RangeSummary finish() {
    for (const Sha256& id : summary_.cas) hash_.add_ca(id);
    summary_.hash = hash_.finish();
    return summary_;
  }

 private:
  Error still_open(uint64_t last) const {
    return Error(
        ErrorCode::ManifestRangeOpen,
        fmt::format("{} to {}: the ledger is finished up to {}", range_.first, *range_.last, last));
  }

  Error beyond(uint64_t newest) const {
    return Error(
        ErrorCode::ManifestRangeOpen,
        fmt::format("from {} on: the ledger ends with {}, so the next range begins with {}",
                    range_.first,
                    newest,
                    newest + 1));
  }

  // The same CA signs many in a row.
  Result<size_t> place_of_ca(const Bytes& der) {
    if (last_ca_der_ == der && !summary_.cas.empty()) return last_ca_;
    last_ca_der_ = der;
    const Sha256 id = sha256(der);
    std::vector<Sha256>& all = summary_.cas;
    const auto found = std::find(all.begin(), all.end(), id);
    last_ca_ = static_cast<size_t>(found - all.begin());
    if (found != all.end()) return last_ca_;
    if (all.size() == kMaxRangeCas)
      return fail(
          ErrorCode::InputInvalid,
          fmt::format("the range has certificates of more than {} CAs: choose a shorter one",
                      kMaxRangeCas));
    all.push_back(id);
    return last_ca_;
  }

  Result<void> add(const LedgerCertificate& certificate) {
    if (summary_.count == 0) summary_.first_sequence = certificate.issuance_id;
    summary_.last_sequence = certificate.issuance_id;
    if (!range_.last) summary_.last = certificate.issuance_id;
    ++summary_.count;
    LS_TRY(const size_t ca, place_of_ca(certificate.issuer_der));
    hash_.add(
        certificate.issuance_id, sha256(certificate.certificate_der), ca, certificate.device_id);
    return take_(certificate, ca);
  }

  const SequenceRange& range_;
  const TakeCertificate& take_;
  RangeSummary summary_;
  RangeHash hash_;
  Bytes last_ca_der_;
  size_t last_ca_ = 0;
};

template <size_t kBytes>
void add_number(uint64_t value, EVP_MD_CTX* context) {
  std::array<uint8_t, kBytes> number{};
  for (size_t i = 0; i < kBytes; ++i)
    number.at(kBytes - 1 - i) = static_cast<uint8_t>(value >> (8 * i));
  EVP_DigestUpdate(context, number.data(), number.size());
}

}  // namespace

void RangeHash::add_ca(const Sha256& id) { EVP_DigestUpdate(context_.get(), id.data(), id.size()); }

RangeHash::RangeHash() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(context_.get(), digest_method(DigestKind::Bits256), nullptr);
}

void RangeHash::add(uint64_t sequence,
                    const Sha256& certificate_id,
                    size_t ca,
                    std::string_view device_id) {
  add_number<8>(sequence, context_.get());
  EVP_DigestUpdate(context_.get(), certificate_id.data(), certificate_id.size());
  add_number<4>(ca, context_.get());
  EVP_DigestUpdate(context_.get(), device_id.data(), device_id.size());
  EVP_DigestUpdate(context_.get(), "\n", 1);
}

Sha256 RangeHash::finish() {
  Sha256 hash{};
  EVP_DigestFinal_ex(context_.get(), hash.data(), nullptr);
  return hash;
}

Result<RangeSummary> walk_range(const CertificateSource& source,
                                const std::string& order,
                                const SequenceRange& range,
                                const TakeCertificate& take) {
  if (range.first == 0 || (range.last && *range.last + 1 < range.first))
    return fail(ErrorCode::InputInvalid, "a range begins at 1 or later and ends after its begin");
  RangeWalk walk(range, take);
  if (range.last && *range.last < range.first) return walk.finish();
  uint64_t after = range.first - 1;
  for (bool is_done = false; !is_done;) {
    LS_TRY(const CertificatePage page, source(order, after, kRangePage));
    LS_TRY(is_done, walk.take_page(page));
    after = page.next_after;
  }
  return walk.finish();
}

}  // namespace linesign
