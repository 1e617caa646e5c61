#include "appliance/cloud/aws/partitions.h"

#include <array>

namespace linesign::aws {
namespace {

constexpr std::array<Partition, 4> kPartitions = {{
    {"cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"us-gov-", "aws-us-gov", "amazonaws.com", "api.aws"},
    {"eusc-", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu"},
    {"", "aws", "amazonaws.com", "api.aws"},
}};

}  // namespace

const Partition& find_partition(std::string_view region) {
  for (const Partition& partition : kPartitions) {
    if (region.starts_with(partition.prefix)) return partition;
  }
  return kPartitions.back();
}

std::string_view partition_of(std::string_view region) { return find_partition(region).name; }

}  // namespace linesign::aws
