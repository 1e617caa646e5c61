// ChildProcess: runs a program without a shell and collects what it prints.
//
// Limits   64 KiB of each output; the time given, after which the program is killed
// Errors   AwsCredentialsFailed: cannot be started, ended with another status than 0 (with the
//          first line of its standard error), took too long, printed too much
// Threads  safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_CHILD_PROCESS_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_CHILD_PROCESS_H_

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/cloud/aws/environment.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace linesign::aws {

// As a POSIX shell splits words, with quotes and backslashes, and nothing else of a shell.
// Error: AwsSettings: a quote is not closed, or there is no word.
Result<std::vector<std::string>> split_words(std::string_view text);

// Standard output. The program is looked up in PATH and gets /dev/null as its input.
Result<SecretBytes> run_program(const std::vector<std::string>& words,
                                const Environment& environment,
                                std::chrono::milliseconds limit);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_CHILD_PROCESS_H_
