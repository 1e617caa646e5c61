#include "hsm/sizing/flat_json.h"

#include <charconv>

#include <fmt/format.h>

namespace linesign {
namespace {

constexpr unsigned char kFirstPrintable = 0x20;

class Reader final {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() const { return position_ == text_.size(); }
  // Steps over `c` if it is next.
  bool take(char c) {
    if (at_end() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  Result<void> expect(char c) {
    if (!take(c)) return fail(wrong());
    return {};
  }
  Result<std::string> text() {
    LS_CHECK(expect('"'));
    std::string out;
    while (!take('"')) {
      if (at_end() || static_cast<unsigned char>(text_[position_]) < kFirstPrintable)
        return fail(wrong());
      LS_TRY(const char c, character());
      out += c;
    }
    return out;
  }
  Result<uint64_t> number() {
    uint64_t value = 0;
    const char* const begin = text_.data() + position_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc() || end == begin) return fail(wrong());
    position_ += static_cast<size_t>(end - begin);
    return value;
  }
  bool at_text() const { return !at_end() && text_[position_] == '"'; }
  Error wrong() const {
    return Error(ErrorCode::InputInvalid, fmt::format("no flat JSON at byte {}", position_));
  }

 private:
  Result<char> character() {
    if (!take('\\')) return text_[position_++];
    for (const char plain : {'"', '\\', '/'})
      if (take(plain)) return plain;
    if (take('n')) return '\n';
    if (take('t')) return '\t';
    LS_CHECK(expect('u'));
    unsigned int code = 0;
    constexpr size_t kDigits = 4;
    const std::string_view digits = text_.substr(position_, kDigits);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    // Above ASCII we write UTF-8 as it is.
    if (digits.size() != kDigits || error != std::errc() || end != digits.data() + kDigits ||
        code >= 0x80)
      return fail(wrong());
    position_ += kDigits;
    return static_cast<char>(code);
  }

  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace

Result<FlatJson> FlatJson::parse(std::string_view line) {
  if (line.size() > kMaxFlatJsonBytes) return fail(ErrorCode::InputInvalid, "the line is too long");
  Reader reader(line);
  FlatJson json;
  LS_CHECK(reader.expect('{'));
  while (!reader.take('}')) {
    if (!json.members_.empty()) LS_CHECK(reader.expect(','));
    LS_TRY(std::string name, reader.text());
    LS_CHECK(reader.expect(':'));
    if (json.has(name)) return fail(reader.wrong());
    if (reader.at_text()) {
      LS_TRY(std::string value, reader.text());
      json.members_.emplace_back(std::move(name), std::move(value));
    } else {
      LS_TRY(const uint64_t value, reader.number());
      json.members_.emplace_back(std::move(name), value);
    }
  }
  if (!reader.at_end()) return fail(reader.wrong());
  return json;
}

FlatJson& FlatJson::text(std::string_view name, std::string_view value) {
  members_.emplace_back(name, std::string(value));
  return *this;
}

FlatJson& FlatJson::number(std::string_view name, uint64_t value) {
  members_.emplace_back(name, value);
  return *this;
}

const FlatJson::Value* FlatJson::find(std::string_view name) const {
  for (const auto& [each, value] : members_)
    if (each == name) return &value;
  return nullptr;
}

bool FlatJson::has(std::string_view name) const { return find(name) != nullptr; }

Result<std::string> FlatJson::get_text(std::string_view name) const {
  const Value* value = find(name);
  const auto* text = value != nullptr ? std::get_if<std::string>(value) : nullptr;
  if (text == nullptr)
    return fail(ErrorCode::InputInvalid, fmt::format("there is no text '{}'", name));
  return *text;
}

Result<uint64_t> FlatJson::get_number(std::string_view name) const {
  const Value* value = find(name);
  const auto* number = value != nullptr ? std::get_if<uint64_t>(value) : nullptr;
  if (number == nullptr)
    return fail(ErrorCode::InputInvalid, fmt::format("there is no number '{}'", name));
  return *number;
}

std::string FlatJson::line() const {
  std::string out = "{";
  for (const auto& [name, value] : members_) {
    if (out.size() > 1) out += ',';
    out += flat_json_text(name) + ':';
    if (const auto* text = std::get_if<std::string>(&value)) {
      out += flat_json_text(*text);
    } else {
      out += std::to_string(std::get<uint64_t>(value));
    }
  }
  return out + '}';
}

std::string flat_json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < kFirstPrintable) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace linesign
