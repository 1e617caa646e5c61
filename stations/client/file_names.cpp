#include "stations/client/file_names.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace linesign::client {
namespace {

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

template <typename Predicate>
std::string encode(std::string_view text, Predicate must_encode) {
  std::string encoded;
  for (const char c : text) {
    if (must_encode(c))
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    else
      encoded.push_back(c);
  }
  return encoded;
}

std::string fold(std::string_view text) {
  std::string folded(text);
  std::transform(folded.begin(), folded.end(), folded.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return folded;
}

}  // namespace

void FileNames::add_existing(std::string_view stem) {
  if (!limits_.ignores_case) return;
  const std::lock_guard lock(mutex_);
  stems_.emplace(decode_file_name(stem), stem);
  folded_.insert(fold(stem));
}

std::string FileNames::choose(std::string_view device_id) {
  const bool refuses_colon = limits_.refuses_colon;
  std::string stem = encode(device_id, [&](char c) { return refuses_colon && c == ':'; });
  if (!limits_.ignores_case) return stem;
  if (folded_.contains(fold(stem)))
    stem = encode(device_id, [&](char c) { return is_letter(c) || (refuses_colon && c == ':'); });
  folded_.insert(fold(stem));
  stems_.emplace(device_id, stem);
  return stem;
}

std::string FileNames::stem_of(std::string_view device_id) {
  if (!limits_.ignores_case && !limits_.refuses_colon) return std::string(device_id);
  const std::lock_guard lock(mutex_);
  const auto known = stems_.find(std::string(device_id));
  std::string stem = known != stems_.end() ? known->second : choose(device_id);
  if (!example_ && stem != device_id) example_ = Example{std::string(device_id), stem};
  return stem;
}

std::optional<FileNames::Example> FileNames::example() const {
  const std::lock_guard lock(mutex_);
  return example_;
}

std::string decode_file_name(std::string_view stem) {
  std::string text;
  for (size_t at = 0; at < stem.size(); ++at) {
    unsigned char value = 0;
    const std::string_view digits = stem.substr(std::min(at + 1, stem.size()), 2);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    const bool is_encoded =
        stem[at] == '%' && digits.size() == 2 && read.ptr == digits.data() + digits.size();
    text.push_back(is_encoded ? static_cast<char>(value) : stem[at]);
    if (is_encoded) at += 2;
  }
  return text;
}

}  // namespace linesign::client
