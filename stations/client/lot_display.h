// LotDisplay: what a person sees of a lot while it runs, and the list of refusals in a file.
//
// Threads  the thread of LotRunner::run()
#ifndef LINESIGN_STATIONS_CLIENT_LOT_DISPLAY_H_
#define LINESIGN_STATIONS_CLIENT_LOT_DISPLAY_H_

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "protocol/base/progress_display.h"
#include "protocol/base/result.h"
#include "stations/client/lot_runner.h"

namespace linesign::client {

class LotDisplay final : public LotObserver {
 public:
  // `report` may be empty; a file of an earlier run is replaced. Writes to `screen`, not owned.
  static Result<std::unique_ptr<LotDisplay>> open(ProgressDisplay::Mode mode,
                                                  const std::filesystem::path& report,
                                                  std::FILE* screen);

  void on_progress(const LotProgress& progress) override;
  void on_refused(const LotOutcome& outcome) override;
  void on_note(const std::string& sentence) override;

  // Ends the bar's line; says whether all of the report could be written.
  Result<void> finish();

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
  };
  LotDisplay(ProgressDisplay::Mode mode, std::filesystem::path report, std::FILE* screen)
      : mode_(mode), screen_(mode, screen), report_path_(std::move(report)) {}

  ProgressDisplay::Mode mode_;
  ProgressDisplay screen_;
  std::filesystem::path report_path_;
  std::unique_ptr<std::FILE, CloseFile> report_;
};

Progress to_progress(const LotProgress& lot);

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_LOT_DISPLAY_H_
