// What the ledger answers.
#include <algorithm>

#include "appliance/admin/api/cloud_fields.h"

namespace linesign {

using namespace json;  // NOLINT(google-build-using-namespace): a file of this folder's JSON

namespace {

SerialNumber serial_of(const Object& object) {
  const auto bytes = from_hex(text_of(object, "serial"));
  SerialNumber serial{};
  if (!bytes.has_value() || bytes->size() != serial.size())
    wrong("a serial number of 16 bytes in hex is expected", "serial");
  std::copy(bytes->begin(), bytes->end(), serial.begin());
  return serial;
}

// The CA certificates of a page, each once: rows name theirs by its place.
class Issuers final {
 public:
  size_t place_of(const Bytes& der) {
    const auto found = std::find(all_.begin(), all_.end(), der);
    if (found != all_.end()) return static_cast<size_t>(found - all_.begin());
    all_.push_back(der);
    return all_.size() - 1;
  }
  void add_to(Object& object) const {
    object.set("issuers", list_of(all_, [](const Bytes& der) {
                 Object::Ptr row = make_object();
                 row->set("certificate", to_base64(der));
                 return row;
               }));
  }

  static Issuers read(const Object& object) {
    Issuers issuers;
    for_each_object(object, "issuers", [&](const Object& row) {
      issuers.all_.push_back(base64_of(row, "certificate"));
    });
    return issuers;
  }
  const Bytes& of(const Object& row) const {
    const auto place = number_of<uint64_t>(row, "issuer");
    if (place >= all_.size()) wrong("a place in the list of issuers is expected", "issuer");
    return all_[place];
  }

 private:
  std::vector<Bytes> all_;
};

Object::Ptr item_object(const CloudItem& item, Issuers& issuers) {
  Object::Ptr object = make_object();
  object->set("issuance_id", item.issuance_id);
  object->set("device_id", item.device_id);
  object->set("order", item.order_id);
  object->set("serial", to_hex(item.serial));
  object->set("certificate", to_base64(item.certificate_der));
  object->set("state", std::string(to_string(item.state)));
  object->set("steps", item.steps);
  object->set("attempts", item.attempts);
  object->set("committed_at", to_iso8601(item.committed_at));
  object->set("issuer", issuers.place_of(item.issuer_der));
  return object;
}

CloudItem read_item(const Object& object, const Issuers& issuers) {
  CloudItem item;
  item.issuance_id = number_of<uint64_t>(object, "issuance_id");
  item.device_id = text_of(object, "device_id");
  item.order_id = text_of(object, "order");
  item.serial = serial_of(object);
  item.certificate_der = base64_of(object, "certificate");
  item.state = registration_state_of(object, "state");
  item.steps = number_of<uint32_t>(object, "steps");
  item.attempts = number_of<uint32_t>(object, "attempts");
  item.committed_at = time_of(object, "committed_at");
  item.issuer_der = issuers.of(object);
  return item;
}

Object::Ptr status_object(const CloudTargetStatus& status) {
  Object::Ptr object = target_object(status.target);
  object->set("configured", status.is_configured);
  object->set("feeds", list_of(status.feeds, [](const CloudFeedStatus& feed) {
                Object::Ptr row = make_object();
                row->set("order", feed.order_id);
                row->set("active", feed.is_active);
                return row;
              }));
  object->set("waiting", status.waiting);
  object->set("in_task", status.in_task);
  object->set("registered", status.registered);
  object->set("handed_over", status.handed_over);
  object->set("parked", status.parked);
  object->set("parked_by_code", list_of(status.parked_by_code, [](const CloudParked& parked) {
                Object::Ptr row = make_object();
                row->set("code", parked.code);
                row->set("count", parked.count);
                return row;
              }));
  object->set("oldest_waiting_at", time_or_null(status.oldest_waiting_at));
  return object;
}

CloudTargetStatus read_target_status(const Object& object) {
  CloudTargetStatus status;
  status.target = read_target(object);
  status.is_configured = flag_of(object, "configured");
  for_each_object(object, "feeds", [&](const Object& row) {
    status.feeds.push_back({text_of(row, "order"), flag_of(row, "active")});
  });
  status.waiting = number_of<uint64_t>(object, "waiting");
  status.in_task = number_of<uint64_t>(object, "in_task");
  status.registered = number_of<uint64_t>(object, "registered");
  status.handed_over = number_of<uint64_t>(object, "handed_over");
  status.parked = number_of<uint64_t>(object, "parked");
  for_each_object(object, "parked_by_code", [&](const Object& row) {
    status.parked_by_code.push_back(
        {number_of<uint32_t>(row, "code"), number_of<uint64_t>(row, "count")});
  });
  status.oldest_waiting_at = optional_time_of(object, "oldest_waiting_at");
  return status;
}

Object::Ptr registration_object(const CloudRegistration& registration, Issuers& issuers) {
  Object::Ptr object = make_object();
  object->set("issuance_id", registration.issuance_id);
  object->set("device_id", registration.device_id);
  object->set("order", registration.order_id);
  object->set("state", std::string(to_string(registration.state)));
  object->set("steps", registration.steps);
  object->set("attempts", registration.attempts);
  object->set("task_id", registration.task_id);
  object->set("code", registration.code);
  object->set("reason", registration.reason);
  object->set("certificate_id", hash_or_null(registration.certificate_id));
  object->set("updated_at", to_iso8601(registration.updated_at));
  object->set("issuer", issuers.place_of(registration.issuer_der));
  return object;
}

CloudRegistration read_registration(const Object& object, const Issuers& issuers) {
  CloudRegistration registration;
  registration.issuance_id = number_of<uint64_t>(object, "issuance_id");
  registration.device_id = text_of(object, "device_id");
  registration.order_id = text_of(object, "order");
  registration.state = registration_state_of(object, "state");
  registration.steps = number_of<uint32_t>(object, "steps");
  registration.attempts = number_of<uint32_t>(object, "attempts");
  registration.task_id = number_of<uint64_t>(object, "task_id");
  registration.code = number_of<uint32_t>(object, "code");
  registration.reason = text_of(object, "reason");
  registration.certificate_id = optional_hash_of(object, "certificate_id");
  registration.updated_at = time_of(object, "updated_at");
  registration.issuer_der = issuers.of(object);
  return registration;
}

Object::Ptr certificate_object(const LedgerCertificate& certificate, Issuers& issuers) {
  Object::Ptr object = make_object();
  object->set("issuance_id", certificate.issuance_id);
  object->set("device_id", certificate.device_id);
  object->set("serial", to_hex(certificate.serial));
  object->set("committed_at", to_iso8601(certificate.committed_at));
  object->set("certificate", to_base64(certificate.certificate_der));
  object->set("issuer", issuers.place_of(certificate.issuer_der));
  return object;
}

LedgerCertificate read_certificate(const Object& object, const Issuers& issuers) {
  LedgerCertificate certificate;
  certificate.issuance_id = number_of<uint64_t>(object, "issuance_id");
  certificate.device_id = text_of(object, "device_id");
  certificate.serial = serial_of(object);
  certificate.committed_at = time_of(object, "committed_at");
  certificate.certificate_der = base64_of(object, "certificate");
  certificate.issuer_der = issuers.of(object);
  return certificate;
}

}  // namespace

std::string to_json(const std::vector<CloudItem>& items) {
  Object::Ptr object = make_object();
  Issuers issuers;
  object->set("items",
              list_of(items, [&](const CloudItem& each) { return item_object(each, issuers); }));
  issuers.add_to(*object);
  return stringify(*object);
}

template <>
Result<std::vector<CloudItem>> from_json(std::string_view json) {
  return parse_as<std::vector<CloudItem>>(json, [](const Object& object) {
    std::vector<CloudItem> items;
    const Issuers issuers = Issuers::read(object);
    for_each_object(
        object, "items", [&](const Object& row) { items.push_back(read_item(row, issuers)); });
    return items;
  });
}

std::string to_json(const CloudBooked& booked) {
  Object::Ptr object = make_object();
  object->set("booked", booked.booked);
  object->set("unchanged", booked.unchanged);
  object->set("refused", list_of(booked.refused, [](const CloudRefusal& refusal) {
                Object::Ptr row = make_object();
                row->set("issuance_id", refusal.issuance_id);
                row->set("reason", refusal.reason);
                return row;
              }));
  return stringify(*object);
}

template <>
Result<CloudBooked> from_json(std::string_view json) {
  return parse_as<CloudBooked>(json, [](const Object& object) {
    CloudBooked booked;
    booked.booked = number_of<uint64_t>(object, "booked");
    booked.unchanged = number_of<uint64_t>(object, "unchanged");
    for_each_object(object, "refused", [&](const Object& row) {
      booked.refused.push_back({number_of<uint64_t>(row, "issuance_id"), text_of(row, "reason")});
    });
    return booked;
  });
}

std::string to_json(uint64_t count) {
  Object::Ptr object = make_object();
  object->set("count", count);
  return stringify(*object);
}

template <>
Result<uint64_t> from_json(std::string_view json) {
  return parse_as<uint64_t>(
      json, [](const Object& object) { return number_of<uint64_t>(object, "count"); });
}

std::string to_json(const std::vector<CloudTargetStatus>& targets) {
  Object::Ptr object = make_object();
  object->set("targets", list_of(targets, status_object));
  return stringify(*object);
}

template <>
Result<std::vector<CloudTargetStatus>> from_json(std::string_view json) {
  return parse_as<std::vector<CloudTargetStatus>>(json, [](const Object& object) {
    std::vector<CloudTargetStatus> targets;
    for_each_object(
        object, "targets", [&](const Object& row) { targets.push_back(read_target_status(row)); });
    return targets;
  });
}

std::string to_json(const RegistrationPage& page) {
  Object::Ptr object = make_object();
  Issuers issuers;
  object->set("registrations", list_of(page.registrations, [&](const CloudRegistration& each) {
                return registration_object(each, issuers);
              }));
  issuers.add_to(*object);
  object->set("next_after", page.next_after);
  object->set("end", page.is_end);
  return stringify(*object);
}

template <>
Result<RegistrationPage> from_json(std::string_view json) {
  return parse_as<RegistrationPage>(json, [](const Object& object) {
    RegistrationPage page;
    const Issuers issuers = Issuers::read(object);
    for_each_object(object, "registrations", [&](const Object& row) {
      page.registrations.push_back(read_registration(row, issuers));
    });
    page.next_after = number_of<uint64_t>(object, "next_after");
    page.is_end = flag_of(object, "end");
    return page;
  });
}

std::string to_json(const CertificatePage& page) {
  Object::Ptr object = make_object();
  Issuers issuers;
  object->set("certificates", list_of(page.certificates, [&](const LedgerCertificate& each) {
                return certificate_object(each, issuers);
              }));
  issuers.add_to(*object);
  object->set("next_after", page.next_after);
  object->set("end", page.is_end);
  object->set("first_open_intent", number_or_null(page.first_open_intent));
  object->set("newest", page.newest);
  return stringify(*object);
}

template <>
Result<CertificatePage> from_json(std::string_view json) {
  return parse_as<CertificatePage>(json, [](const Object& object) {
    CertificatePage page;
    const Issuers issuers = Issuers::read(object);
    for_each_object(object, "certificates", [&](const Object& row) {
      page.certificates.push_back(read_certificate(row, issuers));
    });
    page.next_after = number_of<uint64_t>(object, "next_after");
    page.is_end = flag_of(object, "end");
    page.first_open_intent = optional_number_of<uint64_t>(object, "first_open_intent");
    page.newest = number_of<uint64_t>(object, "newest");
    return page;
  });
}

std::string to_json(const std::vector<LedgerCa>& cas) {
  Object::Ptr object = make_object();
  object->set("cas", list_of(cas, [](const LedgerCa& ca) {
                Object::Ptr row = make_object();
                row->set("certificate", to_base64(ca.certificate_der));
                row->set("first_used_at", to_iso8601(ca.first_used_at));
                return row;
              }));
  return stringify(*object);
}

template <>
Result<std::vector<LedgerCa>> from_json(std::string_view json) {
  return parse_as<std::vector<LedgerCa>>(json, [](const Object& object) {
    std::vector<LedgerCa> cas;
    for_each_object(object, "cas", [&](const Object& row) {
      cas.push_back({base64_of(row, "certificate"), time_of(row, "first_used_at")});
    });
    return cas;
  });
}

}  // namespace linesign
