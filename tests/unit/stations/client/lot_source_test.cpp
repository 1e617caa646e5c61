// Lot folders and the two kinds of sources.
#include "stations/client/lot_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "protocol/base/file.h"
#include "stations/client/der.h"
#include "tests/support/fake_appliance.h"
#include "tests/support/temp_dir.h"

namespace linesign::client {
namespace {

using test::CsrCa;

void put(const std::filesystem::path& path, std::string_view text) {
  ASSERT_TRUE(write_file_atomic(path, as_bytes(text), 0644, Overwrite::Replace, Durability::Renamed)
                  .has_value());
}

std::string text_of(const std::filesystem::path& path) {
  return std::string(as_text(read_file(path, 65536).value()));
}

struct Folders {
  TempDir temp;
  LotFolder out = std::move(LotFolder::open(temp.path() / "out", 0755).value());
  LotFolder keys = std::move(LotFolder::open(temp.path() / "out-keys", 0700).value());
  CsrCa ca{"Test Device CA"};

  // What the run would write when the certificate comes.
  void certify(const std::string& device, ByteView csr) {
    const Bytes der = ca.issue(csr, device);
    put(out.file_of(device, ".pem"), to_pem("CERTIFICATE", der) + to_pem("CERTIFICATE", ca.der()));
  }
};

// --- LotFolder -----------------------------------------------------------------------------------

TEST(LotFolder, IsForOneRunAtATime) {
  const TempDir temp;
  const auto first = LotFolder::open(temp.path(), 0755);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(LotFolder::open(temp.path(), 0755).error().code(), ErrorCode::FolderInUse);
}

TEST(LotFolder, HoldsOneVisibleFilePerDevice) {
  Folders folders;
  ASSERT_TRUE(folders.out.write("unit:1", ".pem", as_bytes("x"), 0644).has_value());
  size_t visible = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folders.out.directory()))
    visible += entry.path().filename().string().front() != '.' ? 1U : 0U;
  EXPECT_EQ(visible, 1U);
  EXPECT_TRUE(std::filesystem::exists(folders.out.directory() / "unit:1.pem"));
}

TEST(LotFolder, ClearsWhatAnInterruptedRunLeft) {
  const TempDir temp;
  std::ofstream(temp.path() / ".unit-1.key.aB3xYz") << "half a key";
  std::ofstream(temp.path() / ".profile") << "not ours";
  std::ofstream(temp.path() / "unit-1.key.aB3xYz") << "not ours";
  ASSERT_TRUE(LotFolder::open(temp.path(), 0755).has_value());
  EXPECT_FALSE(std::filesystem::exists(temp.path() / ".unit-1.key.aB3xYz"));
  EXPECT_TRUE(std::filesystem::exists(temp.path() / ".profile"));
  EXPECT_TRUE(std::filesystem::exists(temp.path() / "unit-1.key.aB3xYz"));
}

TEST(LotFolder, TellsWholeCertificatesFromCutOnes) {
  Folders folders;
  const auto made = KeyMaker::open(KeyKind::EcP256)->make("unit-1");
  const Bytes spki = to_bytes(outline_csr(made->csr_der)->spki);
  EXPECT_EQ(folders.out.look("unit-1", spki).value(), LotFolder::Found::Nothing);
  folders.certify("unit-1", made->csr_der);
  EXPECT_EQ(folders.out.look("unit-1", spki).value(), LotFolder::Found::Wanted);
  EXPECT_EQ(folders.out.look("unit-1", {}).value(), LotFolder::Found::Wanted);
  EXPECT_EQ(folders.out.look("unit-1", Bytes{1}).value(), LotFolder::Found::Other);
  const std::string whole = text_of(folders.out.file_of("unit-1", ".pem"));
  const size_t leaf_end = whole.find("-----BEGIN", 1);
  for (size_t size = 0; size < whole.size(); size += 7) {
    if (size == leaf_end) continue;  // the leaf alone is whole, too
    put(folders.out.file_of("unit-1", ".pem"), std::string_view(whole).substr(0, size));
    EXPECT_EQ(folders.out.look("unit-1", spki).value(), LotFolder::Found::Unusable) << size;
  }
}

TEST(LotFolder, DoesNotTakeForeignFilesForItsOwn) {
  Folders folders;
  for (const char* text : {"-----BEGIN CERTIFICATE REQUEST-----\n", "my notes", "-----BEGIN X"}) {
    put(folders.out.file_of("unit-1", ".pem"), text);
    EXPECT_EQ(folders.out.look("unit-1", {}).value(), LotFolder::Found::Other) << text;
  }
}

// --- LotFolder on a FAT stick: tests/support/fat_medium.cpp
// -----------------------------------------

struct FatFolder : testing::Test {
  void SetUp() override { ::setenv("LINESIGN_FAT", temp.path().c_str(), 1); }
  void TearDown() override { ::unsetenv("LINESIGN_FAT"); }
  LotFolder open() { return std::move(LotFolder::open(temp.path(), 0755).value()); }
  std::string name(const LotFolder& folder, const std::string& device) {
    return folder.file_of(device, ".pem").filename().string();
  }
  TempDir temp;
};

TEST_F(FatFolder, EncodesWhatTheMediumRefuses) {
  const LotFolder folder = open();
  EXPECT_EQ(name(folder, "unit-1"), "unit-1.pem");
  EXPECT_FALSE(folder.names().example().has_value());
  EXPECT_EQ(name(folder, "unit:1"), "unit%3A1.pem");
  EXPECT_EQ(folder.names().example()->device_id, "unit:1");
  ASSERT_TRUE(folder.write("unit:1", ".pem", as_bytes("x"), 0644).has_value());
  EXPECT_TRUE(std::filesystem::exists(temp.path() / "unit%3A1.pem"));
}

TEST_F(FatFolder, KeepsDevicesApartThatDifferInCaseOnly) {
  {
    const LotFolder folder = open();
    EXPECT_EQ(name(folder, "dev-a"), "dev-a.pem");
    EXPECT_EQ(name(folder, "DEV-A"), "%44%45%56-%41.pem");
    EXPECT_EQ(name(folder, "dev-a"), "dev-a.pem");
    for (const char* device : {"dev-a", "DEV-A"})
      ASSERT_TRUE(folder.write(device, ".pem", as_bytes(device), 0644).has_value());
  }
  // The next run meets them in another order, and finds them.
  const LotFolder again = open();
  EXPECT_EQ(name(again, "DEV-A"), "%44%45%56-%41.pem");
  EXPECT_EQ(name(again, "Dev-A"), "%44%65%76-%41.pem");
  EXPECT_EQ(name(again, "dev-a"), "dev-a.pem");
}

TEST_F(FatFolder, TakesNoFilesWhenItIsGone) {
  const LotFolder folder = open();
  EXPECT_TRUE(folder.takes_files());
  std::filesystem::remove_all(temp.path());
  EXPECT_FALSE(folder.takes_files());
}

// --- CSR files -----------------------------------------------------------------------------------

struct CsrFiles : Folders {
  std::filesystem::path directory = temp.path() / "csrs";
  CsrFiles() { std::filesystem::create_directory(directory); }

  LotEntry prepare(const std::filesystem::path& file,
                   const std::string& device_id = {},
                   DeviceIdFrom from = DeviceIdFrom::Any) {
    const auto source = make_csr_source({{file}, device_id, "default", from}, out);
    return source->make_preparer().value()->prepare(0).value();
  }
  ErrorCode refusal(const std::filesystem::path& file) {
    return std::get<LotOutcome>(prepare(file)).error->code();
  }
};

TEST(CsrFileSource, TakesPemAndDer) {
  CsrFiles files;
  const Bytes csr = KeyMaker::open(KeyKind::EcP256)->make("unit-1")->csr_der;
  put(files.directory / "a.csr",
      "Certificate Request:\n  text\n" + to_pem("CERTIFICATE REQUEST", csr));
  put(files.directory / "b.der", as_text(csr));
  put(files.directory / "c.pem", to_pem("NEW CERTIFICATE REQUEST", csr));
  for (const char* name : {"a.csr", "b.der", "c.pem"}) {
    const LotEntry entry = files.prepare(files.directory / name);
    ASSERT_TRUE(std::holds_alternative<LotItem>(entry)) << name;
    const LotItem& item = std::get<LotItem>(entry);
    EXPECT_EQ(item.request.device_id, "unit-1");
    EXPECT_EQ(item.request.csr_der, csr);
    EXPECT_EQ(item.request.request_id, make_request_id("default", "unit-1", csr));
  }
}

TEST(CsrFileSource, NamesTheDeviceByOptionThenCommonNameThenFile) {
  CsrFiles files;
  auto maker = KeyMaker::open(KeyKind::EcP256);
  put(files.directory / "stem.csr", as_text(maker->make("from-cn")->csr_der));
  const auto device = [&](const std::string& option) {
    return std::get<LotItem>(files.prepare(files.directory / "stem.csr", option)).request.device_id;
  };
  EXPECT_EQ(device("from-option"), "from-option");
  EXPECT_EQ(device(""), "from-cn");
}

TEST(CsrFileSource, NamesTheDeviceByWhatWasChosen) {
  CsrFiles files;
  const std::filesystem::path file = files.directory / "unit%3A7.csr";
  put(file, as_text(KeyMaker::open(KeyKind::EcP256)->make("product-x")->csr_der));
  const auto device = [&](DeviceIdFrom from) {
    return std::get<LotItem>(files.prepare(file, "", from)).request.device_id;
  };
  EXPECT_EQ(device(DeviceIdFrom::Any), "product-x");
  EXPECT_EQ(device(DeviceIdFrom::CommonName), "product-x");
  EXPECT_EQ(device(DeviceIdFrom::FileName), "unit:7");
  const auto outcome = std::get<LotOutcome>(files.prepare(file, "", DeviceIdFrom::SerialNumber));
  EXPECT_EQ(outcome.error->code(), ErrorCode::DeviceIdInvalid);
  EXPECT_NE(outcome.error->detail().find("the serialNumber of the subject is ''"),
            std::string::npos)
      << outcome.error->detail();
}

TEST(CsrFileSource, SaysHowToNameDevicesWhoseCommonNameIsNoDeviceId) {
  CsrFiles files;
  const std::filesystem::path file = files.directory / "unit-7.csr";
  put(file, as_text(KeyMaker::open(KeyKind::EcP256)->make("AWS IoT Certificate")->csr_der));
  const auto outcome = std::get<LotOutcome>(files.prepare(file));
  EXPECT_EQ(outcome.error->code(), ErrorCode::DeviceIdInvalid);
  EXPECT_NE(outcome.error->detail().find("the common name of the subject is 'AWS IoT Certificate'; "
                                         "choose another source with --device-id-from"),
            std::string::npos)
      << outcome.error->detail();
  EXPECT_EQ(std::get<LotItem>(files.prepare(file, "", DeviceIdFrom::FileName)).request.device_id,
            "unit-7");
}

TEST(CsrFileSource, RefusesOneDeviceWhoseCertificateFileCannotBeRead) {
  CsrFiles files;
  put(files.directory / "a.der", as_text(KeyMaker::open(KeyKind::EcP256)->make("unit-1")->csr_der));
  std::filesystem::create_directory(files.out.file_of("unit-1", ".pem"));
  EXPECT_EQ(files.refusal(files.directory / "a.der"), ErrorCode::Io);
}

TEST(CsrFileSource, ReportsFilesThatAreNoCsr) {
  CsrFiles files;
  const Bytes csr = KeyMaker::open(KeyKind::EcP256)->make("unit-1")->csr_der;
  put(files.directory / "empty.csr", "");
  put(files.directory / "text.csr", "hello");
  put(files.directory / "cut.csr", to_pem("CERTIFICATE REQUEST", csr).substr(0, 200));
  put(files.directory / "other.pem", to_pem("PRIVATE KEY", csr));
  put(files.directory / "more.der", std::string(as_text(csr)) + "x");
  put(files.directory / "big.der", std::string(140000, '0'));
  put(files.directory / "bad-name.der",
      as_text(KeyMaker::open(KeyKind::EcP256)->make("../x")->csr_der));
  EXPECT_EQ(files.refusal(files.directory / "empty.csr"), ErrorCode::CsrEmpty);
  EXPECT_EQ(files.refusal(files.directory / "text.csr"), ErrorCode::CsrMalformed);
  EXPECT_EQ(files.refusal(files.directory / "cut.csr"), ErrorCode::CsrMalformed);
  EXPECT_EQ(files.refusal(files.directory / "other.pem"), ErrorCode::CsrMalformed);
  EXPECT_EQ(files.refusal(files.directory / "more.der"), ErrorCode::CsrTrailingBytes);
  EXPECT_EQ(files.refusal(files.directory / "big.der"), ErrorCode::InputInvalid);
  EXPECT_EQ(files.refusal(files.directory / "absent.csr"), ErrorCode::Io);
  EXPECT_EQ(files.refusal(files.directory / "bad-name.der"), ErrorCode::DeviceIdInvalid);
}

TEST(CsrFileSource, DoesNotReplaceTheCertificateOfAnotherKey) {
  CsrFiles files;
  auto maker = KeyMaker::open(KeyKind::EcP256);
  files.certify("unit-1", maker->make("unit-1")->csr_der);
  put(files.directory / "a.der", as_text(maker->make("unit-1")->csr_der));
  EXPECT_EQ(files.refusal(files.directory / "a.der"), ErrorCode::FileExists);
}

TEST(CsrFileSource, ListsItsFolderInOrder) {
  CsrFiles files;
  for (const char* name : {"b.csr", "a.DER", "c.p10", ".hidden.csr", "notes.txt", "d.pem", "e.req"})
    put(files.directory / name, "x");
  std::filesystem::create_directory(files.directory / "e.csr");
  std::vector<std::string> names;
  const auto listed = list_csr_files(files.directory).value();
  for (const auto& path : listed) names.push_back(path.filename().string());
  EXPECT_EQ(names, (std::vector<std::string>{"a.DER", "b.csr", "c.p10", "d.pem", "e.req"}));
  EXPECT_EQ(list_csr_files(files.directory / "absent").error().code(), ErrorCode::Io);
}

// --- Generated keys ------------------------------------------------------------------------------

struct Generated : Folders {
  LotEntry prepare(uint64_t index = 0) {
    GeneratePlan plan;
    plan.count = 10;
    plan.prefix = "line-7-";
    plan.order_id = "default";
    const auto source = make_generating_source(plan, out, keys);
    const auto preparer = source->make_preparer().value();
    LotEntry entry = preparer->prepare(index).value();
    EXPECT_TRUE(preparer->settle().has_value());
    return entry;
  }
  std::filesystem::path key_file() const { return keys.file_of("line-7-000001", ".key"); }
  std::filesystem::path csr_file() const { return keys.file_of("line-7-000001", ".csr"); }
};

TEST(GeneratingSource, NumbersDevicesWithSixDigits) {
  GeneratePlan plan;
  plan.prefix = "line-7-";
  EXPECT_EQ(generated_device_id(plan, 0), "line-7-000001");
  EXPECT_EQ(generated_device_id(plan, 999999), "line-7-1000000");
  plan.first = 500;
  EXPECT_EQ(generated_device_id(plan, 1), "line-7-000501");
}

TEST(GeneratingSource, KeepsKeyAndCsrBesideTheCertificates) {
  Generated lot;
  const LotItem item = std::get<LotItem>(lot.prepare());
  EXPECT_EQ(item.request.device_id, "line-7-000001");
  struct stat status {};
  ASSERT_EQ(::stat(lot.key_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0400U);
  EXPECT_EQ(load_csr(lot.csr_file())->der, item.request.csr_der);
  EXPECT_TRUE(equal(public_key_of(read_secret_file(lot.key_file(), 4096)->reveal()).value(),
                    outline_csr(item.request.csr_der)->spki));
}

TEST(GeneratingSource, SendsTheSameRequestAgain) {
  Generated lot;
  const LotItem first = std::get<LotItem>(lot.prepare());
  const LotItem second = std::get<LotItem>(lot.prepare());
  EXPECT_EQ(first.request.request_id, second.request.request_id);
  EXPECT_EQ(first.request.csr_der, second.request.csr_der);
}

TEST(GeneratingSource, SkipsWhatIsCertified) {
  Generated lot;
  lot.certify("line-7-000001", std::get<LotItem>(lot.prepare()).request.csr_der);
  EXPECT_EQ(std::get<LotOutcome>(lot.prepare()).end, LotEnd::AlreadyThere);
  // Also when the key has been moved to a safer place.
  std::filesystem::remove(lot.key_file());
  EXPECT_EQ(std::get<LotOutcome>(lot.prepare()).end, LotEnd::AlreadyThere);
}

TEST(GeneratingSource, UsesTheKeyWhoseCsrWasLost) {
  Generated lot;
  const LotItem first = std::get<LotItem>(lot.prepare());
  for (const char* damaged : {"", "-----BEGIN CERTIFICATE REQ"}) {
    put(lot.csr_file(), damaged);
    const LotItem second = std::get<LotItem>(lot.prepare());
    EXPECT_TRUE(
        equal(outline_csr(first.request.csr_der)->spki, outline_csr(second.request.csr_der)->spki));
  }
}

TEST(GeneratingSource, MakesANewKeyForOneThatWasCutOff) {
  Generated lot;
  const LotItem first = std::get<LotItem>(lot.prepare());
  const std::string whole = text_of(lot.key_file());
  for (const size_t size : {size_t{0}, size_t{10}, whole.size() / 2}) {
    put(lot.key_file(), std::string_view(whole).substr(0, size));
    const LotItem second = std::get<LotItem>(lot.prepare());
    EXPECT_TRUE(equal(public_key_of(read_secret_file(lot.key_file(), 4096)->reveal()).value(),
                      outline_csr(second.request.csr_der)->spki));
  }
}

TEST(GeneratingSource, NeverReplacesAKeyThatItCannotRead) {
  Generated lot;
  static_cast<void>(lot.prepare());
  put(lot.key_file(), "-----BEGIN FOREIGN KEY-----\nAAAA\n-----END FOREIGN KEY-----\n");
  const LotOutcome outcome = std::get<LotOutcome>(lot.prepare());
  EXPECT_EQ(outcome.error->code(), ErrorCode::InputInvalid);
  EXPECT_NE(text_of(lot.key_file()).find("FOREIGN"), std::string::npos);
}

TEST(GeneratingSource, MakesNoSecondKeyWhenTheFirstIsGone) {
  Generated lot;
  static_cast<void>(lot.prepare());
  std::filesystem::remove(lot.key_file());
  EXPECT_EQ(std::get<LotOutcome>(lot.prepare()).error->code(), ErrorCode::InputInvalid);
}

}  // namespace
}  // namespace linesign::client
