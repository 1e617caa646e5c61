#include "appliance/cloud/aws/iot_client.h"

namespace linesign::aws {

Result<std::string> IotClient::start_task(const TaskStart& task) {
  Call call = new_call("StartThingRegistrationTask", "POST", {"thing-registration-tasks"});
  call.repeatable = false;
  JsonObject body;
  body.set("templateBody", task.template_body);
  body.set("inputFileBucket", task.bucket);
  body.set("inputFileKey", task.key);
  body.set("roleArn", task.role_arn);
  set_json(call, body);
  LS_TRY(const JsonObject answer, ask(call, "taskId"));
  return answer.required_text("taskId");
}

Result<TaskDescription> IotClient::describe_task(const std::string& id) {
  LS_TRY(const JsonObject answer,
         ask(new_call("DescribeThingRegistrationTask", "GET", {"thing-registration-tasks", id}),
             "taskId"));
  TaskDescription task;
  LS_TRY(task.id, answer.required_text("taskId"));
  task.status = to_task_status(answer.text("status").value_or(""));
  task.message = one_line(answer.text("message").value_or(""), 2048);
  task.bucket = answer.text("inputFileBucket").value_or("");
  task.key = answer.text("inputFileKey").value_or("");
  task.role_arn = answer.text("roleArn").value_or("");
  task.succeeded = answer.integer("successCount").value_or(0);
  task.failed = answer.integer("failureCount").value_or(0);
  task.percent = answer.integer("percentageProgress").value_or(0);
  task.created_at = answer.time("creationDate");
  return task;
}

Result<Page<std::string>> IotClient::list_tasks(TaskStatus status, const std::string& next) {
  Call call = new_call("ListThingRegistrationTasks", "GET", {"thing-registration-tasks"});
  call.query = {{"maxResults", std::to_string(kLargestPage)}};
  if (status != TaskStatus::Other) call.query.push_back({"status", to_string(status)});
  if (!next.empty()) call.query.push_back({"nextToken", next});
  LS_TRY(const JsonObject answer, ask(call));
  return Page<std::string>{answer.texts("taskIds"), answer.text("nextToken").value_or("")};
}

Result<Page<std::string>> IotClient::list_task_reports(const std::string& id,
                                                       ReportType type,
                                                       const std::string& next) {
  Call call = new_call(
      "ListThingRegistrationTaskReports", "GET", {"thing-registration-tasks", id, "reports"});
  call.query = {{"reportType", to_string(type)}, {"maxResults", std::to_string(kLargestPage)}};
  if (!next.empty()) call.query.push_back({"nextToken", next});
  LS_TRY(const JsonObject answer, ask(call));
  return Page<std::string>{answer.texts("resourceLinks"), answer.text("nextToken").value_or("")};
}

Result<void> IotClient::stop_task(const std::string& id) {
  return order(
      new_call("StopThingRegistrationTask", "PUT", {"thing-registration-tasks", id, "cancel"}));
}

Result<std::string> IotClient::create_template(const ProvisioningTemplate& provisioning) {
  Call call = new_call("CreateProvisioningTemplate", "POST", {"provisioning-templates"});
  JsonObject body;
  body.set("templateName", provisioning.name);
  body.set("description", provisioning.description);
  body.set("templateBody", provisioning.body);
  body.set("enabled", provisioning.is_enabled);
  body.set("provisioningRoleArn", provisioning.role_arn);
  body.set("type", to_string(provisioning.type));
  set_json(call, body);
  LS_TRY(const JsonObject answer, ask(call));
  return answer.required_text("templateArn");
}

Result<ProvisioningTemplate> IotClient::describe_template(const std::string& name) {
  LS_TRY(const JsonObject answer,
         ask(new_call("DescribeProvisioningTemplate", "GET", {"provisioning-templates", name})));
  ProvisioningTemplate found;
  LS_TRY(found.name, answer.required_text("templateName"));
  found.body = answer.text("templateBody").value_or("");
  found.role_arn = answer.text("provisioningRoleArn").value_or("");
  found.type = to_template_type(answer.text("type").value_or(""));
  found.is_enabled = answer.flag("enabled").value_or(false);
  found.description = answer.text("description").value_or("");
  return found;
}

Result<std::string> IotClient::describe_endpoint(const std::string& type) {
  Call call = new_call("DescribeEndpoint", "GET", {"endpoint"});
  call.query = {{"endpointType", type}};
  LS_TRY(const JsonObject answer, ask(call));
  return answer.required_text("endpointAddress");
}

}  // namespace linesign::aws
