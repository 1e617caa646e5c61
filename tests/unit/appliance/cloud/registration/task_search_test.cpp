#include "appliance/cloud/registration/task_search.h"

#include <map>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/appliance/cloud/aws/fakes.h"

namespace linesign {
namespace {

// An account with tasks that a test names, listed in its order.
class TaskSearchTest : public testing::Test {
 protected:
  TaskSearchTest() {
    world_.transport.otherwise = [this](const aws::HttpRequest& request) {
      return answer(to_string(request.url));
    };
  }

  Result<aws::HttpResponse> answer(const std::string& url) {
    const std::string id = url.substr(url.rfind('/') + 1);
    if (!id.starts_with("thing-registration-tasks?")) return describe(id);
    std::string ids;
    if (url.find(status_) != std::string::npos)
      for (const std::string& each : tasks_) ids += (ids.empty() ? "\"" : ",\"") + each + '"';
    return aws::test::answer(200, "{\"taskIds\":[" + ids + "]}");
  }
  Result<aws::HttpResponse> describe(const std::string& id) {
    ++described_;
    const int64_t time = id.starts_with("old") ? 1000 : 3000;
    return aws::test::answer(
        200,
        fmt::format(R"({{"taskId":"{0}","inputFileBucket":"b","inputFileKey":"{0}",)"
                    R"("creationDate":{1}}})",
                    id,
                    time));
  }
  void add(int count, const std::string& kind) {
    for (int i = 0; i < count; ++i) tasks_.push_back(fmt::format("{}-{}", kind, i));
  }

  aws::test::World world_;
  aws::IotClient iot_{world_.parts(), aws::test::endpoint_of(aws::Service::Iot)};
  const SoughtTask sought_{"b", "ours", UnixTime(std::chrono::seconds(2000))};
  std::vector<std::string> tasks_;
  std::string status_ = "status=Completed";
  int described_ = 0;
};

TEST_F(TaskSearchTest, FindsTheTaskAtEitherEndOfALongListWithFewCalls) {
  add(5000, "old");
  tasks_.emplace_back("ours");
  EXPECT_EQ(find_ended(iot_, sought_).value().id, "ours");
  EXPECT_LE(described_, 4);
  tasks_.pop_back();
  tasks_.insert(tasks_.begin(), "ours");
  EXPECT_EQ(find_ended(iot_, sought_).value().id, "ours");
  EXPECT_LE(described_, 8);
}

TEST_F(TaskSearchTest, EndsSoonWhereAllTasksAreFromBeforeTheManifest) {
  add(5000, "old");
  const FoundTask found = find_ended(iot_, sought_).value();
  EXPECT_EQ(found.id, "");
  EXPECT_EQ(found.looks, 40);
  EXPECT_EQ(described_, 40);
}

TEST_F(TaskSearchTest, EndsAtItsTimeWhateverTheAccountHolds) {
  add(5000, "new");
  EXPECT_EQ(find_ended(iot_, sought_).value().id, "");
  EXPECT_EQ(described_, 200);
}

TEST_F(TaskSearchTest, LooksAmongTasksThatFailedToo) {
  status_ = "status=Failed";
  add(3, "new");
  tasks_.emplace_back("ours");
  EXPECT_EQ(find_ended(iot_, sought_).value().id, "ours");
  EXPECT_EQ(find_running(iot_, sought_).value().id, "");
}

TEST_F(TaskSearchTest, NamesAnotherTaskThatRuns) {
  status_ = "status=InProgress";
  tasks_ = {"new-0"};
  const FoundTask found = find_running(iot_, sought_).value();
  EXPECT_EQ(found.id, "");
  EXPECT_EQ(found.other, "new-0 with b/new-0");
  tasks_.emplace_back("ours");
  EXPECT_EQ(find_running(iot_, sought_).value().id, "ours");
}

}  // namespace
}  // namespace linesign
