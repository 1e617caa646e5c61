#include "appliance/bench/bench_report.h"

#include <algorithm>

#include <fmt/format.h>

namespace linesign::bench {
namespace {

constexpr double kNoisyShare = 0.02;     // of stolen time
constexpr double kOthersMatter = 0.05;   // of the machine
constexpr double kCeilingsDiffer = 0.1;  // between before and after

double quotient(double a, double b) { return b > 0 ? a / b : 0; }

std::optional<double> ratio(double value, double ceiling) {
  if (ceiling <= 0) return {};
  return value / ceiling;
}

// "3 KeyExists (This public key has a certificate.)"
std::string list_with_examples(const AnswerCounts& counts, const AnswerExamples& examples) {
  std::string text;
  for (const auto& [name, count] : counts) {
    const auto example = examples.find(name);
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
    if (example != examples.end() && !example->second.empty())
      text += fmt::format(" ({})", example->second);
  }
  return text;
}

using Remarks = std::vector<std::string>;

void remark_on_end(const BenchReport& report, Remarks& remarks) {
  if (report.load.interrupted) remarks.emplace_back("The run was interrupted.");
  if (report.load.is_stalled)
    remarks.emplace_back("The run was ended: no certificate came any more.");
  if (report.load.ran_out)
    remarks.push_back(fmt::format("The run ended after {:.1f} s: all prepared requests were used.",
                                  report.wall_seconds()));
  if (report.load.reconnects > 0)
    remarks.push_back(fmt::format("Connections were lost {} times.", report.load.reconnects));
  if (report.signer_restarts > 0)
    remarks.push_back(fmt::format("Signers restarted: {}.", report.signer_restarts));
  if (report.ledger_certificates < report.load.all_certificates)
    remarks.push_back(fmt::format("Only {} of the {} certificates are new in the ledger.",
                                  report.ledger_certificates,
                                  report.load.all_certificates));
}

void remark_on_answers(const BenchReport& report, Remarks& remarks) {
  const LoadResult& load = report.load;
  if (!load.refused.empty())
    remarks.push_back(fmt::format("Refused: {}.", list_with_examples(load.refused, load.examples)));
  if (load.lone && !load.lone->refused.empty())
    remarks.push_back(fmt::format("Refused to the lone station: {}.",
                                  list_with_examples(load.lone->refused, {})));
  AnswerCounts others = load.later;
  others.erase("Busy");  // an answer like any other
  if (!others.empty())
    remarks.push_back(
        fmt::format("Told to come later: {}.", list_with_examples(others, load.examples)));
}

void remark_on_machine(const BenchReport& report, Remarks& remarks) {
  if (report.machine_load.stolen > kNoisyShare)
    remarks.push_back(fmt::format("The hypervisor took {:.0f} % of the time away: a noisy machine.",
                                  report.machine_load.stolen * 100));
  if (report.others_share() > kOthersMatter)
    remarks.push_back(fmt::format("Other processes took {:.0f} % of the machine meanwhile.",
                                  report.others_share() * 100));
  if (!report.ceiling_before || !report.ceiling_after) return;
  const double change = quotient(report.ceiling_after->certificates_per_second,
                                 report.ceiling_before->certificates_per_second);
  if (change < 1 - kCeilingsDiffer || change > 1 + kCeilingsDiffer)
    remarks.push_back(fmt::format(
        "The ceiling after the load is {:.0f} % of the one before: the machine does not stand "
        "still.",
        change * 100));
}

}  // namespace

double BenchReport::wall_seconds() const {
  return std::chrono::duration<double>(load.wall).count();
}

uint64_t BenchReport::certificates() const {
  return load.certificates + (load.lone ? load.lone->latency.count : 0);
}

double BenchReport::certificates_per_second() const {
  return quotient(static_cast<double>(certificates()), wall_seconds());
}

double BenchReport::certificates_per_cpu_second() const {
  return quotient(static_cast<double>(certificates()), usage.cpu_seconds());
}

double BenchReport::transactions_per_certificate() const {
  return quotient(static_cast<double>(transactions), static_cast<double>(load.all_certificates));
}

std::optional<CeilingFigures> BenchReport::ceiling() const {
  if (!ceiling_before || !ceiling_after) return ceiling_before ? ceiling_before : ceiling_after;
  CeilingFigures mean = *ceiling_before;
  mean.certificates_per_second =
      (mean.certificates_per_second + ceiling_after->certificates_per_second) / 2;
  mean.certificates_per_cpu_second =
      (mean.certificates_per_cpu_second + ceiling_after->certificates_per_cpu_second) / 2;
  return mean;
}

std::optional<double> BenchReport::cpu_ratio() const {
  const auto found = ceiling();
  return found ? ratio(certificates_per_cpu_second(), found->certificates_per_cpu_second)
               : std::nullopt;
}

std::optional<double> BenchReport::wall_ratio() const {
  const auto found = ceiling();
  return found ? ratio(certificates_per_second(), found->certificates_per_second) : std::nullopt;
}

double BenchReport::others_share() const {
  const double ours = usage.cpu_seconds() + load_generator_cpu_seconds;
  return std::max(0.0, machine_load.busy - quotient(ours, wall_seconds() * machine.cores));
}

std::vector<std::string> BenchReport::remarks() const {
  Remarks remarks;
  remark_on_end(*this, remarks);
  remark_on_answers(*this, remarks);
  remark_on_machine(*this, remarks);
  return remarks;
}

}  // namespace linesign::bench
