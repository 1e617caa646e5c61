// Partition: a part of AWS with accounts, regions, hosts and ARNs of its own.
//
// Threads  no state, safe anywhere
// Source   AWS General Reference, "Amazon Resource Names"; AWS SDKs and Tools, partitions
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_PARTITIONS_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_PARTITIONS_H_

#include <string_view>

namespace linesign::aws {

struct Partition {
  std::string_view prefix;  // of its regions
  std::string_view name;    // the second part of an ARN: "aws", "aws-cn", "aws-us-gov"
  std::string_view suffix;  // of its hosts
  std::string_view dual_stack_suffix;
};

// Unknown regions are taken as those of "aws".
const Partition& find_partition(std::string_view region);
std::string_view partition_of(std::string_view region);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_PARTITIONS_H_
