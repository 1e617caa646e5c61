// LotDisplay: what a person sees of a lot: a bar on a terminal, a plain line every few seconds
// elsewhere, and the list of refusals in a file.
//
// Threads  the thread of LotRunner::run()
#ifndef LINESIGN_STATIONS_CLIENT_LOT_DISPLAY_H_
#define LINESIGN_STATIONS_CLIENT_LOT_DISPLAY_H_

#include <cstdio>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "stations/client/lot_runner.h"

namespace linesign::client {

enum class DisplayMode : uint8_t { Quiet, Bar, Lines };

class LotDisplay final : public LotObserver {
 public:
  // `report` may be empty; a file of an earlier run is replaced. Writes to `screen`, not owned.
  static Result<std::unique_ptr<LotDisplay>> open(DisplayMode mode,
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
  LotDisplay(DisplayMode mode, std::filesystem::path report, std::FILE* screen)
      : mode_(mode), report_path_(std::move(report)), screen_(screen) {}
  void draw();
  void remember(SteadyTime time);
  double rate() const;  // per second, over the last seconds

  DisplayMode mode_;
  std::filesystem::path report_path_;
  std::FILE* screen_;
  std::unique_ptr<std::FILE, CloseFile> report_;
  LotProgress progress_;
  std::deque<std::pair<SteadyTime, uint64_t>> history_;  // when how much was new
  SteadyTime next_draw_{};
  bool is_line_open_ = false;
};

// "[#####.....] 4,512 of 10,000  45 %  3,200/s  0:02 left"
std::string progress_line(const LotProgress& progress, double per_second, size_t bar_width);

// 1234567 is "1,234,567".
std::string grouped(uint64_t number);

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_LOT_DISPLAY_H_
