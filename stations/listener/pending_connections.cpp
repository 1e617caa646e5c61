#include "stations/listener/pending_connections.h"

#include <algorithm>

namespace linesign {

PendingConnections::Admission PendingConnections::add(uint64_t number,
                                                      const SourceAddress& source,
                                                      SteadyTime now) {
  Admission admission;
  const auto own = sources_.find(source);
  const size_t own_size = own == sources_.end() ? 0 : own->second.size();
  if (own_size >= limits_.per_source) {
    admission.gives_way = oldest_of_own(own->second, now);
    admission.is_admitted = admission.gives_way.has_value();
  } else if (entries_.size() >= limits_.total) {
    const Source& most = fullest();
    admission.gives_way = most.size() > own_size ? oldest_of(most) : oldest_of_own(most, now);
    admission.is_admitted = admission.gives_way.has_value();
  }
  if (!admission.is_admitted) return admission;
  if (admission.gives_way) remove(*admission.gives_way);
  const auto entry = sources_.try_emplace(source).first;
  entry->second.silent.insert(number);
  entries_.emplace(number, Entry{entry, now});
  return admission;
}

void PendingConnections::note_bytes(uint64_t number) {
  const auto found = entries_.find(number);
  if (found == entries_.end()) return;
  Source& source = found->second.source->second;
  if (source.silent.erase(number) > 0) source.heard.insert(number);
}

void PendingConnections::remove(uint64_t number) {
  const auto found = entries_.find(number);
  if (found == entries_.end()) return;
  const auto source = found->second.source;
  source->second.silent.erase(number);
  source->second.heard.erase(number);
  if (source->second.size() == 0) sources_.erase(source);
  entries_.erase(found);
}

// Of those that have as many: one with a silent connection, and of these the one with the oldest.
// REQUIRES: there is one.
const PendingConnections::Source& PendingConnections::fullest() const {
  const auto gives_way_later = [](const auto& a, const auto& b) {
    const Source& one = a.second;
    const Source& other = b.second;
    if (one.size() != other.size()) return one.size() < other.size();
    if (one.silent.empty() != other.silent.empty()) return one.silent.empty();
    return oldest_of(one) > oldest_of(other);
  };
  return std::max_element(sources_.begin(), sources_.end(), gives_way_later)->second;
}

uint64_t PendingConnections::oldest_of(const Source& source) {
  return source.silent.empty() ? *source.heard.begin() : *source.silent.begin();
}

std::optional<uint64_t> PendingConnections::oldest_of_own(const Source& source,
                                                          SteadyTime now) const {
  if (!source.silent.empty()) return *source.silent.begin();
  const uint64_t oldest = *source.heard.begin();
  if (now - entries_.at(oldest).since < limits_.grace) return std::nullopt;
  return oldest;
}

}  // namespace linesign
