#include "stations/client/lot_display.h"

#include <algorithm>
#include <cerrno>
#include <sstream>

#include <Poco/JSON/Object.h>
#include <fmt/format.h>

#include "protocol/base/clock.h"
#include "protocol/base/file.h"

namespace linesign::client {

Progress to_progress(const LotProgress& lot) {
  Progress progress{.done = lot.done(), .left = lot.total - std::min(lot.done(), lot.total)};
  if (lot.refused > 0) progress.note = grouped(lot.refused) + " refused";
  if (lot.not_stored > 0)
    progress.note += (lot.refused > 0 ? ", " : "") + grouped(lot.not_stored) + " not stored";
  progress.skipped = lot.already_there;
  return progress;
}

Result<std::unique_ptr<LotDisplay>> LotDisplay::open(ProgressDisplay::Mode mode,
                                                     const std::filesystem::path& report,
                                                     std::FILE* screen) {
  std::unique_ptr<LotDisplay> display(new LotDisplay(mode, report, screen));
  if (report.empty()) return display;
  display->report_.reset(std::fopen(report.c_str(), "we"));
  if (!display->report_) return fail(creation_failure(report, errno));
  return display;
}

void LotDisplay::on_progress(const LotProgress& progress) {
  screen_.show(to_progress(progress), SystemClock().steady());
}

void LotDisplay::on_refused(const LotOutcome& outcome) {
  if (!report_ || !outcome.error) return;
  Poco::JSON::Object object(Poco::JSON_PRESERVE_KEY_ORDER);
  object.set("device", outcome.device_id);
  object.set("source", outcome.origin);
  object.set("code", static_cast<int>(outcome.error->code()));
  object.set("name", std::string(error_info(outcome.error->code()).name));
  object.set("message", outcome.error->to_string());
  std::ostringstream text;
  object.stringify(text);
  fmt::print(report_.get(), "{}\n", text.str());
}

void LotDisplay::on_note(const std::string& sentence) { screen_.note(sentence); }

Result<void> LotDisplay::finish() {
  // Elsewhere the summary says it.
  if (mode_ == ProgressDisplay::Mode::Bar) screen_.finish();
  if (!report_) return {};
  const bool had_error = std::ferror(report_.get()) != 0;
  if (std::fclose(report_.release()) != 0 || had_error)
    return fail(ErrorCode::Io, report_path_.string() + ": " + errno_text(errno));
  return {};
}

}  // namespace linesign::client
