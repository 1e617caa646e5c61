// X509Signers: who signs for IAM Roles Anywhere.
//
//   a key in a file   signs here
//   a key in a token  a program signs: this process has the internet and no way to the token
//
// Errors   AwsCredentialsFailed with what is wrong
// Threads  as X509Signer
#ifndef LINESIGN_APPLIANCE_CLOUD_UPLOADER_X509_SIGNERS_H_
#define LINESIGN_APPLIANCE_CLOUD_UPLOADER_X509_SIGNERS_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "appliance/cloud/aws/environment.h"
#include "appliance/cloud/aws/roles_anywhere.h"

namespace linesign {

Result<std::shared_ptr<aws::X509Signer>> open_key_file(const std::filesystem::path& certificate,
                                                       const std::filesystem::path& key);

// `command` and its last word, the digest in hex, make a program that prints the signature in hex.
Result<std::shared_ptr<aws::X509Signer>> open_signing_program(
    const std::filesystem::path& certificate,
    std::vector<std::string> command,
    aws::Environment environment);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_UPLOADER_X509_SIGNERS_H_
