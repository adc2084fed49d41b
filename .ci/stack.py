"""The parts of .ci/stack: prepares the deployment, and compares what the engine created with template.yaml.

Usage: stack.py FOLDER prepare|check-created|check-updated|check-deleted
"""

import collections
import json
import pathlib
import sys

import boto3
import samcli.yamlhelper
from botocore.exceptions import ClientError

STACK = "rehearsal"
# The answers to `sam deploy --guided`. Every other parameter keeps its default.
ANSWERS = {
    "AlarmEmail": "operator@shop.example",
    "NetaxeptMerchantId": "12000001",
    "NetaxeptToken": "a-token",
    "TokenIssuers": "partner=https://partner.example",
}
# What MiniStack does not support: the type of the resource, and the property.
NOT_SUPPORTED = [("AWS::CloudWatch::Alarm", "Metrics")]
# What MiniStack accepts and ignores.
IGNORED = [("AWS::DynamoDB::Table", "PointInTimeRecoverySpecification"), ("AWS::ApiGatewayV2::Api", "Body")]
RETAINED = {"Wallets", "Payments", "Key", "IdKey"}

work = pathlib.Path(sys.argv[1])
template = samcli.yamlhelper.yaml_parse(pathlib.Path("template.yaml").read_text())
resources = template["Resources"]


def left_out():
    """The logical ids of the resources that the engine cannot create."""
    return {
        name
        for name, resource in resources.items()
        for kind, member in NOT_SUPPORTED
        if resource["Type"] == kind and member in resource["Properties"]
    }


def of_type(kind):
    """The resources of a type that the engine has to create: logical id and properties."""
    found = resources.items()
    return {
        name: resource["Properties"]
        for name, resource in found
        if resource["Type"] == kind and name not in left_out() and resource.get("Condition") != "HasDomainName"
    }


def client(name):
    return boto3.client(name)


def physical():
    """The physical ids of the stack's resources by logical id."""
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
    summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
    failed = [one for one in summaries if not one["ResourceStatus"].endswith("_COMPLETE")]
    expect(failed, [], "resources that are not complete")
    return {one["LogicalResourceId"]: (one["ResourceType"], one["PhysicalResourceId"]) for one in summaries}


def expect(actual, expected, what):
    if actual != expected:
        sys.exit(f"{what}: {actual!r} instead of {expected!r}")


def prepare():
    """A copy of the template without what is not supported, an empty program for each function, and the answers."""
    for function in of_type("AWS::Serverless::Function").values():
        program = work / function["CodeUri"] / "bootstrap"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\n# {function['CodeUri']}\nexit 1\n")
        program.chmod(0o755)
    copy = dict(template, Resources={name: one for name, one in resources.items() if name not in left_out()})
    (work / "template.yaml").write_text(samcli.yamlhelper.yaml_dump(copy))
    parameters = [ANSWERS.get(name, "") for name in template["Parameters"]]
    # Name and region; no confirmation, roles may be created, rollback stays, the answers are saved in samconfig.toml.
    answers = [STACK, "", *parameters, "n", "y", "n", "y", "", ""]
    (work / "answers").write_text("\n".join(answers) + "\n")


def check_created():
    created = physical()
    print_types(created)
    saved = (work / "samconfig.toml").read_text()
    expect(ANSWERS["NetaxeptToken"] in saved, False, "the token is in samconfig.toml")
    check_tables(created)
    check_functions(created, revision="1")
    check_logs(created)
    check_api(created)
    check_schedules(created)
    check_secrets(created)
    check_alarms(created)
    [stack] = client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    outputs = {output["OutputKey"] for output in stack["Outputs"]}
    expected = {name for name, output in template["Outputs"].items() if "Condition" not in output}
    expect(outputs, expected, "outputs")


def print_types(created):
    counts = collections.Counter(kind for kind, _ in created.values())
    missing = collections.Counter(resources[name]["Type"] for name in left_out())
    print("| resource type | created | not supported by the engine |\n|---|---|---|")
    for kind in sorted(counts | missing):
        print(f"| {kind} | {counts[kind]} | {missing[kind] or ''} |")
    for kind, member in NOT_SUPPORTED:
        print(f"not supported: {member} of {kind}")
    for kind, member in IGNORED:
        print(f"ignored: {member} of {kind}")
    # SAM translates its own types. Each resource of another type has to be there, unless its condition does not hold.
    names = {name for name, one in resources.items() if one.get("Condition") != "HasDomainName"} - left_out()
    expect(names - set(created), set(), "resources that were not created")


def check_tables(created):
    for name, properties in of_type("AWS::DynamoDB::Table").items():
        table = client("dynamodb").describe_table(TableName=created[name][1])["Table"]
        expect(table["KeySchema"], [dict(key) for key in properties["KeySchema"]], f"key of {name}")
        indexes = {
            index["IndexName"]: (index["KeySchema"], index["Projection"]["ProjectionType"])
            for index in table.get("GlobalSecondaryIndexes", [])
        }
        expected = {
            index["IndexName"]: ([dict(key) for key in index["KeySchema"]], index["Projection"]["ProjectionType"])
            for index in properties.get("GlobalSecondaryIndexes", [])
        }
        expect(indexes, expected, f"indexes of {name}")
        expect(table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST", f"billing of {name}")
        protected = properties.get("DeletionProtectionEnabled", False)
        expect(table.get("DeletionProtectionEnabled", False), protected, f"protection of {name}")


def check_functions(created, revision):
    log_group = created["Logs"][1]
    for name in of_type("AWS::Serverless::Function"):
        function = client("lambda").get_function_configuration(FunctionName=created[name][1])
        variables = function["Environment"]["Variables"]
        role = client("iam").get_role(RoleName=created[f"{name}Role"][1])["Role"]["Arn"]
        expect(function["Role"], role, f"role of {name}")
        expect(function["Runtime"], "provided.al2023", f"runtime of {name}")
        expect(variables["SECRETS_REVISION"], revision, f"revision of {name}")
        unresolved = [variable for variable, value in variables.items() if "{{resolve" in value or "${" in value]
        expect(unresolved, [], f"variables of {name} that have no value")
        for variable, table in [("TABLE_NAME", "Wallets"), ("PAYMENT_TABLE_NAME", "Payments")]:
            if variable in variables:
                known = {created[table][1], created["Payments"][1]}
                expect(variables[variable] in known, True, f"{variable} of {name}")
        expected = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN", "LogGroup": log_group}
        expect(function["LoggingConfig"], expected, f"log of {name}")


def check_logs(created):
    groups = client("logs").describe_log_groups()["logGroups"]
    retention = {group["logGroupName"]: group.get("retentionInDays") for group in groups}
    for name in of_type("AWS::Logs::LogGroup"):
        expect(retention.get(created[name][1]), 90, f"retention of {name}")
    pages = client("logs").get_paginator("describe_metric_filters").paginate(logGroupName=created["Logs"][1])
    filters = {
        one["metricTransformations"][0]["metricName"]: (one["filterPattern"], one["metricTransformations"][0]["metricValue"])
        for page in pages
        for one in page["metricFilters"]
    }
    expected = {
        one["MetricTransformations"][0]["MetricName"]: (one["FilterPattern"], str(one["MetricTransformations"][0]["MetricValue"]))
        for one in of_type("AWS::Logs::MetricFilter").values()
    }
    expect(filters, expected, "metric filters")


def check_api(created):
    """The routes of the definition that SAM translates, from which AWS creates them."""
    api = client("apigatewayv2").get_api(ApiId=created["Api"][1])
    expect(api["ProtocolType"], "HTTP", "protocol of the API")
    processed = client("cloudformation").get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]
    processed = samcli.yamlhelper.yaml_parse(processed) if isinstance(processed, str) else processed
    definition = processed["Resources"]["Api"]["Properties"]["Body"]
    actual = {
        f"{method.upper()} {path}": [name for one in operation.get("security", []) for name in one]
        for path, operations in definition["paths"].items()
        for method, operation in operations.items()
    }
    expected = {}
    for function in of_type("AWS::Serverless::Function").values():
        for event in function.get("Events", {}).values():
            if event["Type"] == "HttpApi":
                properties = event["Properties"]
                is_open = properties.get("Auth", {}).get("Authorizer") == "NONE"
                expected[f"{properties['Method']} {properties['Path']}"] = ["NONE"] if is_open else ["Caller"]
    expect(actual, expected, "routes and their authorizers")


def check_schedules(created):
    schedules = [physical_id for kind, physical_id in created.values() if kind == "AWS::Scheduler::Schedule"]
    for schedule in schedules:
        found = client("scheduler").get_schedule(Name=schedule.split("/")[-1])
        expect((found["ScheduleExpression"], found["State"]), ("rate(1 minute)", "ENABLED"), schedule)
        expect("DeadLetterConfig" in found["Target"], True, f"dead letters of {schedule}")
    expect(len(schedules), 3, "schedules")


def check_secrets(created):
    secrets = {name: client("secretsmanager").get_secret_value(SecretId=created[name][1])["SecretString"] for name in of_type("AWS::SecretsManager::Secret")}
    lengths = {name: len(value) for name, value in secrets.items() if name != "NetaxeptTokenSecret"}
    expect(lengths, {"IdKey": 64, "CallbackSecret": 32, "NotificationSecret": 44}, "lengths of the generated secrets")
    expect(secrets["NetaxeptTokenSecret"], ANSWERS["NetaxeptToken"], "the token")
    return secrets


def check_alarms(created):
    alarms = client("cloudwatch").describe_alarms()["MetricAlarms"]
    names = {alarm["AlarmName"] for alarm in alarms}
    expect({created[name][1] for name in of_type("AWS::CloudWatch::Alarm")} - names, set(), "alarms")
    published = {tuple(alarm["AlarmActions"]) for alarm in alarms}
    expect(published, {(created["Alarms"][1],)}, "topics of the alarms")
    body = client("cloudwatch").get_dashboard(DashboardName=created["Dashboard"][1])["DashboardBody"]
    expect(len(json.loads(body)["widgets"]) > 10, True, "widgets of the dashboard")


def check_updated():
    created = physical()
    check_functions(created, revision="2")
    # The other parameters keep their values, although samconfig.toml does not have the token.
    check_secrets(created)
    check_logs(created)
    (work / "retained").write_text(json.dumps({name: created[name][1] for name in RETAINED}))


def check_deleted():
    retained = json.loads((work / "retained").read_text())
    tables = set(client("dynamodb").list_tables()["TableNames"])
    expect(tables, {retained["Wallets"], retained["Payments"]}, "tables that are left")
    secrets = {secret["Name"] for secret in client("secretsmanager").list_secrets()["SecretList"]}
    expect(len(secrets), 1, f"secrets that are left ({secrets})")
    client("secretsmanager").get_secret_value(SecretId=retained["IdKey"])
    state = client("kms").describe_key(KeyId=retained["Key"])["KeyMetadata"]["KeyState"]
    expect(state, "Enabled", "the key")
    expect(client("lambda").list_functions()["Functions"], [], "functions that are left")
    try:
        client("cloudformation").describe_stacks(StackName=STACK)
    except ClientError:
        return
    sys.exit("the stack is left")


{
    "prepare": prepare,
    "check-created": check_created,
    "check-updated": check_updated,
    "check-deleted": check_deleted,
}[sys.argv[2]]()
