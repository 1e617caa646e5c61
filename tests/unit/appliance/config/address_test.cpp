#include "appliance/config/address.h"

#include <gtest/gtest.h>

namespace linesign {
namespace {

TEST(Address, ReadsNamesAndNumbers) {
  EXPECT_EQ(parse_address("0.0.0.0:7443")->host, "0.0.0.0");
  EXPECT_EQ(parse_address("0.0.0.0:7443")->port, 7443);
  EXPECT_EQ(parse_address("line-1.plant.example:0")->host, "line-1.plant.example");
  EXPECT_EQ(parse_address("[::1]:65535")->host, "::1");
  EXPECT_EQ(parse_address("[::1]:65535")->port, 65535);
}

TEST(Address, TakesTheInterfaceOfALinkLocalAddress) {
  EXPECT_EQ(parse_address("[fe80::1%eth0]:7443")->host, "fe80::1%eth0");
  EXPECT_EQ(parse_address("[fe80::1%br-lan.7]:1")->host, "fe80::1%br-lan.7");
  for (const char* host : {"fe80::1", "FE90::1", "feb0::"}) EXPECT_TRUE(lacks_interface(host));
  for (const char* host : {"fe80::1%eth0", "2001:db8::1", "fec0::1", "::1", "fe80.example"})
    EXPECT_FALSE(lacks_interface(host));
}

TEST(Address, RefusesEverythingElse) {
  for (const char* text : {"",
                           ":",
                           ":7443",
                           "host",
                           "host:",
                           "host:65536",
                           "host:-1",
                           "host:+1",
                           "host: 1",
                           "host:1 ",
                           "ho st:1",
                           "::1:7443",
                           "[]:7443",
                           "[host]:7443",
                           "[::1:7443",
                           "[fe80::1%]:7443",
                           "[fe80::1%eth0%eth1]:7443",
                           "[%eth0:]:7443x",
                           "fe80::1%eth0:7443",
                           "http://host:1"})
    EXPECT_FALSE(parse_address(text).has_value()) << text;
  EXPECT_TRUE(parse_address(std::string(253, 'a') + ":1").has_value());
  EXPECT_FALSE(parse_address(std::string(254, 'a') + ":1").has_value());
}

TEST(Address, KnowsTheHostsThatStandForAllInterfaces) {
  EXPECT_TRUE(is_wildcard("0.0.0.0"));
  EXPECT_TRUE(is_wildcard("::"));
  EXPECT_FALSE(is_wildcard("127.0.0.1"));
}

}  // namespace
}  // namespace linesign
