// Bulk tasks, asked for and answered.
#include "appliance/admin/api/cloud_fields.h"

namespace linesign {

using namespace json;  // NOLINT(google-build-using-namespace): a file of this folder's JSON

namespace {

Object::Ptr task_object(const BulkTask& task) {
  Object::Ptr object = make_object();
  object->set("id", task.id);
  object->set("target", task.target);
  object->set("object_key", task.object_key);
  object->set("aws_task_id", task.aws_task_id);
  object->set("state", std::string(to_string(task.state)));
  object->set("first_issuance", task.first_issuance);
  object->set("last_issuance", task.last_issuance);
  object->set("lines", task.lines);
  object->set("sha256", hash_or_null(task.sha256));
  object->set("created_at", to_iso8601(task.created_at));
  object->set("updated_at", to_iso8601(task.updated_at));
  object->set("reason", task.reason);
  return object;
}

BulkTask read_task(const Object& object) {
  BulkTask task;
  task.id = number_of<uint64_t>(object, "id");
  task.target = text_of(object, "target");
  task.object_key = text_of(object, "object_key");
  task.aws_task_id = text_of(object, "aws_task_id");
  task.state = task_state_of(object, "state");
  task.first_issuance = number_of<uint64_t>(object, "first_issuance");
  task.last_issuance = number_of<uint64_t>(object, "last_issuance");
  task.lines = number_of<uint32_t>(object, "lines");
  task.sha256 = optional_hash_of(object, "sha256");
  task.created_at = time_of(object, "created_at");
  task.updated_at = time_of(object, "updated_at");
  task.reason = text_of(object, "reason");
  return task;
}

}  // namespace

std::string to_json(const CloudTasksRequest& request) {
  Object::Ptr object = make_object();
  object->set("target", request.target);
  return stringify(*object);
}

template <>
Result<CloudTasksRequest> from_json(std::string_view json) {
  return parse_as<CloudTasksRequest>(json, [](const Object& object) {
    expect_members(object, {"target"});
    return CloudTasksRequest{text_of(object, "target", kMaxCloudTextBytes)};
  });
}

std::string to_json(const BulkCreateRequest& request) {
  Object::Ptr object = make_object();
  object->set("target", request.target);
  object->set("object_key", request.object_key);
  return stringify(*object);
}

template <>
Result<BulkCreateRequest> from_json(std::string_view json) {
  return parse_as<BulkCreateRequest>(json, [](const Object& object) {
    expect_members(object, {"target", "object_key"});
    return BulkCreateRequest{text_of(object, "target", kMaxCloudTextBytes),
                             text_of(object, "object_key", kMaxObjectKeyBytes)};
  });
}

std::string to_json(const BulkFillRequest& request) {
  Object::Ptr object = make_object();
  object->set("task_id", request.task_id);
  object->set("lines", request.lines);
  return stringify(*object);
}

template <>
Result<BulkFillRequest> from_json(std::string_view json) {
  return parse_as<BulkFillRequest>(json, [](const Object& object) {
    expect_members(object, {"task_id", "lines"});
    return BulkFillRequest{number_of<uint64_t>(object, "task_id"),
                           number_of<uint32_t>(object, "lines")};
  });
}

std::string to_json(const BulkItemsRequest& request) {
  Object::Ptr object = make_object();
  object->set("task_id", request.task_id);
  object->set("after", request.after);
  object->set("limit", request.limit);
  return stringify(*object);
}

template <>
Result<BulkItemsRequest> from_json(std::string_view json) {
  return parse_as<BulkItemsRequest>(json, [](const Object& object) {
    expect_members(object, {"task_id", "after", "limit"});
    return BulkItemsRequest{number_of<uint64_t>(object, "task_id"),
                            number_of<uint64_t>(object, "after"),
                            number_of<uint32_t>(object, "limit")};
  });
}

std::string to_json(const BulkUpdateRequest& request) {
  const BulkTaskChange& change = request.change;
  Poco::Dynamic::Var aws_task_id;
  if (change.aws_task_id.has_value()) aws_task_id = *change.aws_task_id;
  Object::Ptr object = make_object();
  object->set("task_id", request.task_id);
  object->set("state", std::string(to_string(change.state)));
  object->set("aws_task_id", aws_task_id);
  object->set("sha256", hash_or_null(change.sha256));
  object->set("reason", std::string(cut_reason(change.reason)));
  return stringify(*object);
}

template <>
Result<BulkUpdateRequest> from_json(std::string_view json) {
  return parse_as<BulkUpdateRequest>(json, [](const Object& object) {
    expect_members(object, {"task_id", "state", "aws_task_id", "sha256", "reason"});
    BulkUpdateRequest request;
    request.task_id = number_of<uint64_t>(object, "task_id");
    request.change.state = task_state_of(object, "state");
    if (!object.isNull("aws_task_id"))
      request.change.aws_task_id = text_of(object, "aws_task_id", kMaxAwsTaskIdBytes);
    request.change.sha256 = optional_hash_of(object, "sha256");
    request.change.reason = text_of(object, "reason");
    return request;
  });
}

std::string to_json(const BulkReturnRequest& request) {
  Object::Ptr object = make_object();
  object->set("task_id", request.task_id);
  object->set("limit", request.limit);
  return stringify(*object);
}

template <>
Result<BulkReturnRequest> from_json(std::string_view json) {
  return parse_as<BulkReturnRequest>(json, [](const Object& object) {
    expect_members(object, {"task_id", "limit"});
    return BulkReturnRequest{number_of<uint64_t>(object, "task_id"),
                             number_of<uint32_t>(object, "limit")};
  });
}

std::string to_json(const BulkTask& task) { return stringify(*task_object(task)); }

template <>
Result<BulkTask> from_json(std::string_view json) {
  return parse_as<BulkTask>(json, read_task);
}

std::string to_json(const std::vector<BulkTask>& tasks) {
  Object::Ptr object = make_object();
  object->set("tasks", list_of(tasks, task_object));
  return stringify(*object);
}

template <>
Result<std::vector<BulkTask>> from_json(std::string_view json) {
  return parse_as<std::vector<BulkTask>>(json, [](const Object& object) {
    std::vector<BulkTask> tasks;
    for_each_object(object, "tasks", [&](const Object& row) { tasks.push_back(read_task(row)); });
    return tasks;
  });
}

}  // namespace linesign
