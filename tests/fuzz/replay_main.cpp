// Runs a fuzz target over all files of the folders given: as they are, cut at every length, and
// with one bit flipped at a time.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "protocol/base/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t kMaxFileBytes = 1024 * 1024;
// Enough for every bit of a small file; of a large one, evenly spread.
constexpr size_t kMaxFlips = 1024;

void run(const linesign::Bytes& input) { LLVMFuzzerTestOneInput(input.data(), input.size()); }

void replay(const linesign::Bytes& input) {
  run(input);
  for (size_t size = 0; size < input.size(); ++size) {
    run({input.begin(), input.begin() + static_cast<ptrdiff_t>(size)});
  }
  const size_t bits = input.size() * 8;
  const size_t step = bits / kMaxFlips + 1;
  for (size_t bit = 0; bit < bits; bit += step) {
    linesign::Bytes flipped = input;
    flipped[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
    run(flipped);
  }
}

}  // namespace

int main(int argc, char** argv) {
  size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      const auto input = linesign::read_file(entry.path(), kMaxFileBytes);
      if (!input) {
        std::fprintf(stderr, "%s\n", input.error().to_string().c_str());
        return 1;
      }
      replay(*input);
      ++files;
    }
  }
  std::printf("%zu files\n", files);
  return files > 0 ? 0 : 1;
}
