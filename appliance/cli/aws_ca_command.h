// AwsCaCommand: linesign aws register-ca, deactivate-ca and delete-ca, and what all subcommands of
// `linesign aws` share.
//
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLI_AWS_CA_COMMAND_H_
#define LINESIGN_APPLIANCE_CLI_AWS_CA_COMMAND_H_

#include <string>
#include <vector>

#include "appliance/cli/invocation.h"
#include "protocol/usage/confirmation.h"

namespace linesign {

void add_aws_ca_commands(CLI::App& aws, Invocation& invocation);

// linesign-uploader with these words, in our place.
Result<int> become(const Invocation& invocation, const std::vector<std::string>& words);
std::vector<std::string> with_targets(std::vector<std::string> words,
                                      const std::vector<std::string>& targets);

void add_targets(CLI::App* command, std::vector<std::string>& targets);
void add_target(CLI::App* command, std::string& target);
void add_sure(CLI::App* command, bool& is_sure);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLI_AWS_CA_COMMAND_H_
