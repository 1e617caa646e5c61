// UploaderProgram: linesign-uploader, started for one command: it has the AWS credentials, and this
// program has not.
//
// Errors   Internal: it cannot be started
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLI_UPLOADER_PROGRAM_H_
#define LINESIGN_APPLIANCE_CLI_UPLOADER_PROGRAM_H_

#include <filesystem>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace linesign {

class UploaderProgram final {
 public:
  // The one of this build, beside this program.
  static Result<UploaderProgram> find(const std::filesystem::path& config);

  // With our input and outputs, in our place: returns only when that fails.
  Error become(const std::vector<std::string>& arguments) const;

  struct Answer {
    int exit_code = 0;
    std::string out;
  };
  // `input` (at most 32 KiB) is its standard input; what it prints is the answer; what it says of
  // errors goes where ours goes.
  Result<Answer> ask(const std::vector<std::string>& arguments, const std::string& input) const;
  // The same with its output where ours goes. Gives the exit code.
  Result<int> run(const std::vector<std::string>& arguments, const std::string& input) const;

 private:
  UploaderProgram(std::filesystem::path program, std::filesystem::path config)
      : program_(std::move(program)), config_(std::move(config)) {}
  std::vector<std::string> words(const std::vector<std::string>& arguments) const;

  std::filesystem::path program_;
  std::filesystem::path config_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLI_UPLOADER_PROGRAM_H_
