#include <sstream>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include "appliance/bench/bench_report.h"

namespace linesign::bench {
namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;

Object::Ptr make_object() { return Poco::makeShared<Object>(Poco::JSON_PRESERVE_KEY_ORDER); }

template <typename T, typename Convert>
Poco::Dynamic::Var object_or_null(const std::optional<T>& value, Convert convert) {
  if (!value) return {};
  return convert(*value);
}

Poco::Dynamic::Var number_or_null(const std::optional<double>& value) {
  if (!value) return {};
  return *value;
}

Object::Ptr machine_object(const BenchReport& report) {
  Object::Ptr object = make_object();
  object->set("cpu", report.machine.cpu);
  object->set("cores", report.machine.cores);
  object->set("kernel", report.machine.kernel);
  object->set("memory_bytes", report.machine.memory_bytes);
  object->set("fsync_us", static_cast<int64_t>(report.fsync.count()));
  object->set("busy", report.machine_load.busy);
  object->set("stolen", report.machine_load.stolen);
  object->set("others", report.others_share());
  return object;
}

Object::Ptr setup_object(const BenchSetup& setup) {
  Object::Ptr object = make_object();
  object->set("appliance", setup.appliance);
  object->set("token", setup.token);
  object->set("ca_key", std::string(to_string(setup.ca_key)));
  object->set("device_key", std::string(to_string(setup.device_key)));
  object->set("stations", setup.stations);
  object->set("window", setup.window);
  object->set("lot", setup.lot);
  object->set("signers", setup.signers);
  object->set("threads_per_signer", setup.threads_per_signer);
  return object;
}

Object::Ptr latency_object(const LatencySummary& latency) {
  Object::Ptr object = make_object();
  object->set("count", latency.count);
  object->set("p50_us", static_cast<int64_t>(latency.p50.count()));
  object->set("p90_us", static_cast<int64_t>(latency.p90.count()));
  object->set("p99_us", static_cast<int64_t>(latency.p99.count()));
  object->set("p99_9_us", static_cast<int64_t>(latency.p999.count()));
  object->set("max_us", static_cast<int64_t>(latency.max.count()));
  return object;
}

Object::Ptr counts_object(const AnswerCounts& counts) {
  Object::Ptr object = make_object();
  for (const auto& [name, count] : counts) object->set(name, count);
  return object;
}

Object::Ptr group_object(const GroupResult& group) {
  Object::Ptr object = make_object();
  object->set("stations", group.stations);
  object->set("certificates", group.certificates);
  object->set("least_per_station", group.least);
  object->set("most_per_station", group.most);
  object->set("last_certificate_seconds",
              std::chrono::duration<double>(group.last_certificate).count());
  return object;
}

Object::Ptr lone_object(const LoneResult& lone) {
  Object::Ptr object = make_object();
  object->set("latency", latency_object(lone.latency));
  object->set("later", counts_object(lone.later));
  object->set("refused", counts_object(lone.refused));
  return object;
}

Object::Ptr process_object(const ProcessFigures& process) {
  Object::Ptr object = make_object();
  object->set("pid", process.pid);
  object->set("name", process.name);
  object->set("cpu_seconds", process.cpu_seconds);
  object->set("rss_peak_bytes", process.rss_peak_bytes);
  return object;
}

Object::Ptr cpu_object(const BenchReport& report) {
  Array::Ptr processes = Poco::makeShared<Array>();
  processes->add(process_object(report.usage.daemon));
  for (const ProcessFigures& child : report.usage.children) processes->add(process_object(child));
  Object::Ptr object = make_object();
  object->set("appliance_seconds", report.usage.cpu_seconds());
  object->set("processes", processes);
  object->set("ended_signers_seconds", report.usage.ended_cpu_seconds);
  object->set("load_generator_seconds", report.load_generator_cpu_seconds);
  return object;
}

Object::Ptr ceiling_object(const CeilingFigures& ceiling) {
  Object::Ptr object = make_object();
  object->set("processes", ceiling.processes);
  object->set("threads", ceiling.threads);
  object->set("certificates_per_second", ceiling.certificates_per_second);
  object->set("certificates_per_cpu_second", ceiling.certificates_per_cpu_second);
  return object;
}

Object::Ptr ratios_object(const BenchReport& report) {
  Object::Ptr object = make_object();
  object->set("per_cpu_second", number_or_null(report.cpu_ratio()));
  object->set("wall", number_or_null(report.wall_ratio()));
  return object;
}

void set_load(Object& object, const LoadResult& load) {
  object.set("latency", latency_object(load.latency));
  object.set("later", counts_object(load.later));
  object.set("refused", counts_object(load.refused));
  object.set("reconnects", load.reconnects);
  object.set("obeying", group_object(load.obeying));
  object.set("hammering", group_object(load.hammering));
  object.set("lone", object_or_null(load.lone, lone_object));
}

}  // namespace

std::string report_json(const BenchReport& report) {
  Object::Ptr object = make_object();
  object->set("version", report.version);
  object->set("machine", machine_object(report));
  object->set("setup", setup_object(report.setup));
  object->set("certificates", report.certificates());
  object->set("all_certificates", report.load.all_certificates);
  object->set("ledger_certificates", report.ledger_certificates);
  object->set("seconds", report.wall_seconds());
  object->set("certificates_per_second", report.certificates_per_second());
  object->set("certificates_per_cpu_second", report.certificates_per_cpu_second());
  object->set("cpu", cpu_object(report));
  set_load(*object, report.load);
  object->set("transactions", report.transactions);
  object->set("transactions_per_certificate", report.transactions_per_certificate());
  object->set("signer_restarts", report.signer_restarts);
  object->set("ceiling_before", object_or_null(report.ceiling_before, ceiling_object));
  object->set("ceiling_after", object_or_null(report.ceiling_after, ceiling_object));
  object->set("ratios", ratios_object(report));
  Array::Ptr remarks = Poco::makeShared<Array>();
  for (const std::string& remark : report.remarks()) remarks->add(remark);
  object->set("remarks", remarks);
  std::ostringstream out;
  constexpr int kIndent = 2;
  object->stringify(out, kIndent);
  return out.str();
}

}  // namespace linesign::bench
