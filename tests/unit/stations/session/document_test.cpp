// docs/station-protocol.md promises one exchange in hex. Here it is replayed, byte for byte.
#include <fstream>
#include <string>
#include <string_view>

#include <openssl/sha.h>

#include "tests/support/source_tree.h"
#include "tests/unit/stations/session/session_fixture.h"

namespace linesign::test {
namespace {

struct Turn {
  char speaker = ' ';  // S: station, A: appliance
  Bytes frame;
};

std::vector<Turn> read_exchange() {
  std::ifstream file(source_dir() / "docs/station-protocol.md");
  EXPECT_TRUE(file) << "docs/station-protocol.md cannot be read";
  std::vector<Turn> turns;
  std::string line;
  while (std::getline(file, line) && !line.starts_with("# 1. Hello")) {
  }
  while (std::getline(file, line) && line != "```") {
    if (line.starts_with("#")) continue;
    if (line[0] != ' ') turns.push_back({line[0], {}});
    const auto bytes = from_hex(std::string_view(line).substr(2));
    EXPECT_TRUE(bytes) << line;
    if (!bytes || turns.empty()) return {};
    turns.back().frame.insert(turns.back().frame.end(), bytes->begin(), bytes->end());
  }
  return turns;
}

RequestId recommended_id(const station::v1::IssueRequest& request) {
  std::string text = "linesign request 1";
  for (const std::string* part : {&request.order_id(), &request.device_id(), &request.csr_der()}) {
    text += '\0';
    text += *part;
  }
  Sha256 hash{};
  SHA256(as_bytes(text).data(), text.size(), hash.data());
  RequestId id{};
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

class DocumentTest : public SessionFixture {
 protected:
  void SetUp() override {
    turns_ = read_exchange();
    ASSERT_EQ(turns_.size(), 6U);
  }
  ToStation from_appliance(size_t turn) const { return messages_in(turns_[turn].frame).at(0); }

  std::vector<Turn> turns_;
};

TEST_F(DocumentTest, TheExchangeIsWhatTheApplianceSays) {
  // What the service contributes is taken from the document; all else must come from the session.
  const auto welcome = from_appliance(1).welcome();
  service_.chain = {to_bytes(std::string_view(welcome.issuer_chain(0)))};
  service_.immediate = to_bytes(std::string_view(from_appliance(3).issue().certificate_der()));
  host_.settings.window = 256;
  host_.settings.software = "linesign/0.1.0";
  session_ = Session::for_station(host_, {.id = 1, .name = "jig-1"}, [] {});

  for (const Turn& turn : turns_) {
    if (turn.speaker == 'S') {
      session_->receive(turn.frame);
    } else {
      EXPECT_EQ(to_hex(session_->output().view()), to_hex(turn.frame));
      session_->output().clear();
    }
  }
  EXPECT_TRUE(session_->output().empty());
  EXPECT_FALSE(session_->is_closing());
  ASSERT_EQ(service_.issues.size(), 1U);
  EXPECT_EQ(service_.issues[0].device_id, "SN-0001");
}

TEST_F(DocumentTest, TheRequestIdIsTheRecommendedOne) {
  ToAppliance message;
  ASSERT_TRUE(decode_body(ByteView(turns_[2].frame).subspan(kFrameHeaderBytes), message));
  EXPECT_EQ(message.issue().request_id(), text_of(recommended_id(message.issue())));
}

}  // namespace
}  // namespace linesign::test
