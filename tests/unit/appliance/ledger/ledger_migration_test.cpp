// A ledger that an older version wrote is brought to the present schema and loses nothing.
#include <fmt/format.h>

#include "appliance/ledger/database.h"
#include "appliance/ledger/migrations.h"
#include "tests/unit/appliance/ledger/cloud_fixture.h"

namespace linesign {
namespace {

using testing::certificate_of;
using testing::filled;
using testing::kNow;
using testing::kTarget;
using testing::Request;
using testing::signature_of;

std::string blob(ByteView bytes) { return "x'" + to_hex(bytes) + "'"; }

// The rows of one certificate, or of an open intent, as schema 1 had them.
std::string issuance_rows(uint64_t number, bool is_open) {
  const Request request(number);
  const NewIntent& intent = request.intent;
  std::string sql = fmt::format(
      "INSERT INTO issuance VALUES ({}, {}, 1, '{}', {}, 1, {}, {}, 1, 1700000000, {});",
      number,
      blob(intent.serial),
      request.device_id,
      blob(intent.request_id),
      blob(intent.csr_hash),
      blob(intent.key_hash),
      blob(request.tbs));
  if (is_open) {
    sql += fmt::format("INSERT INTO open_intent VALUES ({}, {});", number, blob(request.csr));
  } else {
    sql += fmt::format(
        "INSERT INTO certificate VALUES ({}, {}, 1700000000);", number, blob(signature_of(number)));
  }
  return sql + "UPDATE production_order SET reserved = reserved + 1;";
}

class LedgerMigration : public testing::CloudTest {
 protected:
  void SetUp() override {}

  void write_schema_1(const std::string& rows) {
    std::filesystem::create_directories(settings().directory);
    sql(std::string(ledger_migrations()[0].sql) +
        fmt::format("PRAGMA application_id = {}; PRAGMA user_version = 1;", kLedgerApplicationId) +
        fmt::format("INSERT INTO profile VALUES (1, {}, 'profile 1', x'30', {}, 0);",
                    blob(testing::kProfileHash),
                    blob(testing::kAlgorithm)) +
        fmt::format("INSERT INTO station VALUES (1, 'line-1', 2, {}, x'3001', 0, 0, NULL, {}, 0,"
                    " {});",
                    blob(filled<32>(1, 1)),
                    blob(filled<32>(2, 1)),
                    blob(filled<32>(3, 1))) +
        rows);
  }
};

TEST_F(LedgerMigration, TakesOverEveryCertificateOfSchema1) {
  std::string rows;
  for (uint64_t number = 1; number <= 20; ++number) rows += issuance_rows(number, number == 7);
  write_schema_1(rows);
  open();
  for (uint64_t number = 1; number <= 20; ++number) {
    const auto found = ledger_->find_certificate("default", "device-" + std::to_string(number));
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->has_value(), number != 7) << number;
  }
  EXPECT_EQ(ledger_->open_intents()->size(), 1U);
  EXPECT_EQ(ledger_->summary()->certificates, 19U);
  set_plan(testing::one_target());
  EXPECT_EQ(status().waiting, 19U);
  const auto items = claim();
  ASSERT_EQ(items.size(), 19U);
  EXPECT_EQ(items[0].certificate_der, certificate_of(1));
  complete(7, 7);
  EXPECT_EQ(claim()[6].issuance_id, 7U);
  issue(21);
  EXPECT_EQ(claim().back().issuance_id, 21U);
  EXPECT_EQ(number("PRAGMA user_version"), 4);
}

TEST_F(LedgerMigration, IsDoneOnce) {
  write_schema_1(issuance_rows(1, false));
  open();
  set_plan(testing::one_target());
  EXPECT_EQ(book({registered(claim()[0])}).booked, 1U);
  open();
  EXPECT_EQ(status().registered, 1U);
}

TEST_F(LedgerMigration, RefusesAFileThatIsMissingATableOfItsSchema) {
  write_schema_1("DROP TABLE delivery;");
  const auto opened = Ledger::open(settings());
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), ErrorCode::LedgerCorrupt);
}

}  // namespace
}  // namespace linesign
