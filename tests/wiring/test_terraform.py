"""Terraform plans and states have the edges of the CloudFormation that would make the same.

The plans in `terraform/cases` are Terraform's own; its README says how they are made.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sls_patterns_cli.check.report import Report, reports
from sls_patterns_cli.cloudformation.terraform import is_plan, template
from sls_patterns_cli.errors import UserError

CASES = Path(__file__).parent / "terraform" / "cases"
DLQ = {"Fn::GetAtt": ["aws_sqs_queue.dlq", "Arn"]}
WORKER = {"Fn::GetAtt": ["aws_lambda_function.worker", "Arn"]}
LIVE = {"Ref": "aws_lambda_alias.live"}


def shown(case: str, what: str = "plan") -> Any:
    return json.loads((CASES / case / f"{what}.json").read_text())


def properties(case: str, what: str = "plan") -> dict[str, Any]:
    resources = template(shown(case, what))["Resources"]
    return {address: resource["Properties"] for address, resource in resources.items()}


def redrive_target(queue: dict[str, Any]) -> Any:
    return queue["RedrivePolicy"]["deadLetterTargetArn"]


def references(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each property that refers to a resource, or is unknown, without positions in lists."""
    match value:
        case {"Ref": str() as address} | {"Fn::GetAtt": [str() as address, _]}:
            yield path, address
        case {"Fn::Unknown": _}:
            yield path, "unknown"
        case dict():
            for key, inner in value.items():
                yield from references(inner, path if key == "Fn::Join" else (*path, key))
        case list():
            for inner in value:
                yield from references(inner, path)


def report(case: str, what: str = "plan") -> Report:
    (found,) = reports(CASES / case / f"{what}.json")
    return found


def edges(case: str, what: str = "plan") -> set[tuple[str, str, str, str | None, Any]]:
    return {
        (each["source"], each["target"], each["mechanism"], each["end"], each["alarmed"])
        for each in report(case, what).edges()
    }


def test_a_plan_has_an_edge_of_each_mechanism() -> None:
    dlq, worker, live = "aws_sqs_queue.dlq", "aws_lambda_function.worker", "lambda-async"
    bus, bucket = "aws_cloudwatch_event_bus.orders", "aws_s3_bucket.uploads"
    delivery = "aws_kinesis_firehose_delivery_stream.clicks"
    machine = "aws_sfn_state_machine.fulfil"

    assert edges("services") == {
        ("a.example.com:9092", worker, "kafka", None, False),
        ("aws_cloudwatch_event_rule.nightly", worker, "eventbridge", "unknown", "unknown"),
        ("aws_cloudwatch_event_rule.nightly", worker, live, dlq, True),
        ("aws_api_gateway_rest_api.orders", worker, live, dlq, True),
        ("aws_apigatewayv2_api.fulfil", machine, "step-functions", None, False),
        ("aws_ses_receipt_rule.mail", worker, live, dlq, True),
        (bus, "aws_ecs_cluster.jobs", "eventbridge", None, False),
        (bus, worker, "eventbridge", dlq, True),
        (bus, worker, live, dlq, True),
        ("aws_cloudwatch_log_group.worker", worker, "logs", None, False),
        ("aws_cloudwatch_log_group.worker", worker, live, dlq, True),
        ("aws_dynamodb_table.orders", bus, "pipe", dlq, True),
        ("aws_dynamodb_table.orders", worker, "stream", None, False),
        ("aws_iot_topic_rule.readings", worker, "iot", dlq, True),
        ("aws_iot_topic_rule.readings", worker, live, dlq, True),
        (delivery, bucket, "firehose", bucket, True),
        ("aws_kinesis_stream.clicks", delivery, "firehose", bucket, True),
        ("aws_kinesis_stream.clicks", worker, "stream", dlq, True),
        (worker, "aws_sns_topic.events", live, None, False),
        (bucket, worker, live, dlq, True),
        (bucket, "aws_sqs_queue.jobs", "other", None, False),
        ("aws_scheduler_schedule.hourly", worker, "scheduler", dlq, True),
        ("aws_scheduler_schedule.hourly", worker, live, dlq, True),
        ("aws_sns_topic.events", "aws_sqs_queue.jobs", "sns", dlq, True),
        ("default", "aws_sqs_queue.jobs", "eventbridge", None, False),
        ("theirs", "aws_sns_topic.events", "other", None, False),
    }


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_a_plan_has_the_findings_of_the_state_after_the_apply(case: str) -> None:
    """What a plan does not show gives no finding, so it may have fewer."""
    before, after = (
        {(each.rule, each.resource) for each in report(case, what).findings}
        for what in ("plan", "state")
    )

    assert before <= after


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_a_plan_refers_to_the_same_resources_as_the_state_after_the_apply(case: str) -> None:
    """A plan is read by the references of its configuration, a state by the ARNs in it."""
    before, after = (
        {
            address: dict(_grouped(references(each)))
            for address, each in properties(case, what).items()
        }
        for what in ("plan", "state")
    )

    assert before.keys() >= after.keys()
    assert any(before.values())
    for address, by_property in after.items():
        for path, found in by_property.items():
            unknown = any(
                "unknown" in before[address].get(path[: length + 1], set())
                for length in range(len(path))
            )
            assert unknown or before[address].get(path) == found, (address, path)


def _grouped(
    found: Iterator[tuple[tuple[str, ...], str]],
) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    grouped: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for path, address in found:
        grouped[path].add(address)
    yield from grouped.items()


@pytest.mark.parametrize(
    ("queue", "dead_letter_queue"),
    [
        ('aws_sqs_queue.jobs["orders"]', 'aws_sqs_queue.dlq["orders"]'),
        ('aws_sqs_queue.jobs["refunds"]', 'aws_sqs_queue.dlq["refunds"]'),
        ("aws_sqs_queue.fixed", 'aws_sqs_queue.dlq["orders"]'),
        ("aws_sqs_queue.numbered[1]", "aws_sqs_queue.numbered_dlq[1]"),
        ("aws_sqs_queue.with_optional", "aws_sqs_queue.optional[0]"),
        ("aws_sqs_queue.with_one", "aws_sqs_queue.optional[0]"),
    ],
)
def test_an_instance_refers_to_the_instance_of_its_own_key(
    queue: str, dead_letter_queue: str
) -> None:
    assert redrive_target(properties("instances")[queue]) == {
        "Fn::GetAtt": [dead_letter_queue, "Arn"]
    }


def test_for_each_over_another_resource_leads_to_its_instances() -> None:
    mapping = properties("instances")['aws_lambda_event_source_mapping.jobs["refunds"]']

    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ['aws_sqs_queue.jobs["refunds"]', "Arn"]}
    assert mapping["FunctionName"] == {"Ref": 'aws_lambda_function.worker["refunds"]'}


@pytest.mark.parametrize("queue", ["aws_sqs_queue.by_local", "aws_sqs_queue.either"])
def test_what_a_plan_does_not_show_is_unknown(queue: str) -> None:
    assert redrive_target(properties("instances")[queue]) == {
        "Fn::Unknown": f"{queue}.redrive_policy"
    }


def test_a_dynamic_block_is_unknown_in_a_plan_and_known_in_the_state() -> None:
    function = "aws_lambda_function.dynamic"

    planned = properties("instances")[function]["DeadLetterConfig"]["TargetArn"]
    made = properties("instances", "state")[function]["DeadLetterConfig"]["TargetArn"]

    assert planned == {"Fn::Unknown": f"{function}.dead_letter_config.target_arn"}
    assert made == {"Fn::GetAtt": ["aws_sqs_queue.shared", "Arn"]}


def test_references_are_followed_through_the_variables_and_outputs_of_modules() -> None:
    found = properties("modules")

    assert redrive_target(found["module.orders.aws_sqs_queue.jobs"]) == DLQ
    assert redrive_target(found["module.refunds.aws_sqs_queue.jobs"]) == DLQ
    subscription = found["aws_sns_topic_subscription.orders"]
    assert subscription["Endpoint"] == {"Fn::GetAtt": ["module.orders.aws_sqs_queue.jobs", "Arn"]}
    assert redrive_target(subscription) == DLQ
    assert found['aws_sns_topic_subscription.kinds["b"]']["Endpoint"] == {
        "Fn::GetAtt": ['module.kinds["b"].aws_sqs_queue.jobs', "Arn"]
    }


def test_what_is_known_only_after_the_apply_is_told() -> None:
    unread = report("instances").unread

    assert any("aws_sqs_queue.by_local.redrive_policy" in each for each in unread)
    assert report("instances", "state").unread == []


def test_a_fix_has_no_lines_of_cloudformation() -> None:
    mends = [finding.mend for finding in report("services").findings]

    assert any("RedrivePolicy" in each or "DeadLetterConfig" in each for each in mends)
    assert not any("Type: AWS::" in each or "\n" in each for each in mends)


def test_a_data_source_that_was_read_is_the_arn_that_it_has() -> None:
    queue = properties("modules")['module.kinds["a"].aws_sqs_queue.jobs']

    assert redrive_target(queue) == "arn:aws:sqs:eu-west-1:111122223333:theirs"


def test_what_is_known_does_not_make_a_value_unknown() -> None:
    queues = [resource("aws_sqs_queue", name, {"name": name}) for name in ("jobs", "dlq", "other")]
    made_of = ["aws_sqs_queue.other.name", "aws_sqs_queue.dlq.arn", "aws_sqs_queue.dlq"]
    plan = minimal(queues, [configured("aws_sqs_queue.jobs", redrive_policy=made_of)])

    assert redrive_target(template(plan)["Resources"]["aws_sqs_queue.jobs"]["Properties"]) == DLQ


def test_a_data_source_that_is_read_during_the_apply_is_outside() -> None:
    plan = minimal(
        [resource("aws_sqs_queue", "jobs", {"name": "jobs"})],
        [
            configured("aws_sqs_queue.jobs", redrive_policy=["data.aws_sqs_queue.theirs.arn"]),
        ],
    )

    assert redrive_target(template(plan)["Resources"]["aws_sqs_queue.jobs"]["Properties"]) == {
        "Fn::ImportValue": "${data.aws_sqs_queue.theirs.arn}"
    }


def test_what_is_taken_from_an_object_with_several_arns_is_unknown() -> None:
    mapping = 'module.mapped.aws_lambda_event_source_mapping.sources["clicks"]'
    worker = "module.mapped.aws_lambda_function.worker"
    source = f"{mapping}.event_source_arn"

    assert properties("modules")[mapping]["EventSourceArn"] == {"Fn::Unknown": source}
    assert (source, worker, "other", "unknown", "unknown") in edges("modules")
    assert ("aws_kinesis_stream.clicks", worker, "stream", "aws_sqs_queue.dlq", True) in edges(
        "modules", "state"
    )
    queue = "module.mapped.aws_sqs_queue.jobs"
    assert redrive_target(properties("modules")[queue]) == {
        "Fn::Unknown": f"{queue}.redrive_policy"
    }


def test_an_alarm_watches_the_queue_that_it_names() -> None:
    alarm = properties("modules")["aws_cloudwatch_metric_alarm.dlq"]

    assert alarm["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn::GetAtt": ["aws_sqs_queue.dlq", "QueueName"]}}
    ]
    assert alarm["AlarmActions"] == [{"Ref": "aws_sns_topic.orders"}]


def test_functions_have_their_ends_by_qualifier() -> None:
    found = properties("services")

    assert found["aws_lambda_function.worker"]["DeadLetterConfig"] == {"TargetArn": DLQ}
    config = found["aws_lambda_function_event_invoke_config.live"]
    assert (config["FunctionName"], config["Qualifier"]) == (
        {"Ref": "aws_lambda_function.worker"},
        "live",
    )
    assert config["DestinationConfig"] == {
        "OnFailure": {"Destination": DLQ},
        "OnSuccess": {"Destination": {"Ref": "aws_sns_topic.events"}},
    }
    assert found["aws_lambda_permission.uploads"]["FunctionName"] == LIVE


def test_event_source_mappings_have_source_function_and_end() -> None:
    found = properties("services")
    clicks = found["aws_lambda_event_source_mapping.clicks"]
    orders = found["aws_lambda_event_source_mapping.orders"]
    kafka = found["aws_lambda_event_source_mapping.kafka"]

    assert clicks["EventSourceArn"] == {"Fn::GetAtt": ["aws_kinesis_stream.clicks", "Arn"]}
    assert clicks["DestinationConfig"] == {"OnFailure": {"Destination": DLQ}}
    assert [json.loads(each["Pattern"]) for each in clicks["FilterCriteria"]["Filters"]] == [
        {"data": {"kind": ["a"]}},
        {"data": {"kind": ["b"]}},
    ]
    assert orders["EventSourceArn"] == {"Fn::GetAtt": ["aws_dynamodb_table.orders", "StreamArn"]}
    assert orders["FunctionName"] == LIVE  # from the function's ARN and the alias's name
    assert kafka["FunctionName"] == {"Ref": "aws_lambda_function.worker.version"}
    assert kafka["SelfManagedEventSource"]["Endpoints"]["KafkaBootstrapServers"] == [
        "a.example.com:9092",
        "b.example.com:9092",
    ]


def test_targets_stand_in_the_rule_that_they_belong_to() -> None:
    found = properties("services")
    rule = found["aws_cloudwatch_event_rule.placed"]

    assert rule["EventBusName"] == {"Ref": "aws_cloudwatch_event_bus.orders"}
    assert rule["Targets"] == [
        {"Id": "task", "Arn": {"Fn::GetAtt": ["aws_ecs_cluster.jobs", "Arn"]}},
        {
            "Id": "worker",
            "Arn": LIVE,
            "DeadLetterConfig": {"Arn": DLQ},
            "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10},
        },
    ]
    assert found["aws_cloudwatch_event_target.elsewhere"]["EventBusName"] == "default"
    assert found["aws_cloudwatch_event_rule.nightly"]["State"] == "DISABLED"
    about = found["aws_cloudwatch_event_rule.uploads"]["EventPattern"]["detail"]["bucket"]
    assert about == {"name": [{"Ref": "aws_s3_bucket.uploads"}]}


def test_schedules_pipes_and_delivery_streams_have_target_and_end() -> None:
    found = properties("services")
    schedule = found["aws_scheduler_schedule.hourly"]["Target"]
    pipe = found["aws_pipes_pipe.orders"]
    delivery = found["aws_kinesis_firehose_delivery_stream.clicks"]

    assert (schedule["Arn"], schedule["DeadLetterConfig"]) == (WORKER, {"Arn": DLQ})
    assert pipe["Source"] == {"Fn::GetAtt": ["aws_dynamodb_table.orders", "StreamArn"]}
    assert pipe["Target"] == {"Fn::GetAtt": ["aws_cloudwatch_event_bus.orders", "Arn"]}
    parameters = pipe["SourceParameters"]["DynamoDBStreamParameters"]
    assert parameters["DeadLetterConfig"] == {"Arn": DLQ}
    assert delivery["KinesisStreamSourceConfiguration"]["KinesisStreamARN"] == {
        "Fn::GetAtt": ["aws_kinesis_stream.clicks", "Arn"]
    }
    assert delivery["ExtendedS3DestinationConfiguration"]["BucketARN"] == {
        "Fn::GetAtt": ["aws_s3_bucket.uploads", "Arn"]
    }


def test_notifications_stand_in_their_bucket_or_by_themselves() -> None:
    found = properties("services")
    notifications = found["aws_s3_bucket.uploads"]["NotificationConfiguration"]

    assert {each["Event"] for each in notifications["LambdaConfigurations"]} == {
        "s3:ObjectCreated:*",
        "s3:ObjectRemoved:*",
    }
    assert all(each["Function"] == LIVE for each in notifications["LambdaConfigurations"])
    assert notifications["EventBridgeConfiguration"] == {"EventBridgeEnabled": True}
    assert found["aws_s3_bucket_notification.theirs"]["BucketName"] == "theirs"


def test_an_iot_rule_has_its_actions_and_error_action() -> None:
    payload = properties("services")["aws_iot_topic_rule.readings"]["TopicRulePayload"]

    assert payload["Actions"] == [{"Lambda": {"FunctionArn": WORKER}}]
    assert payload["ErrorAction"]["Sqs"]["QueueUrl"] == {"Ref": "aws_sqs_queue.dlq"}


def test_a_policy_document_that_is_read_during_the_apply_is_put_together() -> None:
    found = properties("policies")
    (statement,) = found["aws_sqs_queue_policy.dlq"]["PolicyDocument"]["Statement"]
    keep, send = found["aws_iam_role_policy.worker"]["PolicyDocument"]["Statement"]
    bucket = {"Fn::GetAtt": ["aws_s3_bucket.failures", "Arn"]}

    assert statement == {
        "Effect": "Allow",
        "Action": ["sqs:SendMessage"],
        "Resource": [DLQ],
        "Principal": {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]},
        "Condition": {
            "ArnEquals": {
                "aws:SourceArn": [
                    {"Fn::GetAtt": ["aws_cloudwatch_event_rule.placed", "Arn"]},
                    {"Ref": "aws_sns_topic.orders"},
                ]
            },
            "StringEquals": {"aws:SourceAccount": ["111122223333"]},
        },
    }
    assert send["Resource"] == [DLQ]
    # The plan does not show that it is the bucket's objects.
    assert keep["Resource"] == [bucket, {"Fn::Join": ["", [bucket, "/*"]]}]


def test_a_list_with_something_that_a_plan_does_not_show_says_so() -> None:
    values = {"alarm_actions": [None, None], "alarm_name": "dlq"}
    plan = minimal(
        [
            resource("aws_sns_topic", "people", {"name": "people"}),
            resource("aws_cloudwatch_metric_alarm", "dlq", values),
        ],
        [
            configured(
                "aws_cloudwatch_metric_alarm.dlq",
                alarm_actions=["aws_sns_topic.people.arn", "local.more"],
            )
        ],
    )
    plan["resource_changes"] = [
        {
            "address": "aws_cloudwatch_metric_alarm.dlq",
            "change": {"after_unknown": {"alarm_actions": [True, True]}},
        }
    ]

    alarm = template(plan)["Resources"]["aws_cloudwatch_metric_alarm.dlq"]["Properties"]
    assert alarm["AlarmActions"] == [
        {"Ref": "aws_sns_topic.people"},
        {"Fn::Unknown": "aws_cloudwatch_metric_alarm.dlq.alarm_actions"},
    ]


def test_an_alarm_on_an_instance_without_a_name_watches_it_by_its_name() -> None:
    """The plan shows neither the key nor the attribute of `aws_sqs_queue.dlq[each.key].name`."""
    plan = minimal(
        [
            {
                **resource("aws_sqs_queue", "dlq", {}),
                "index": "a",
                "address": 'aws_sqs_queue.dlq["a"]',
            },
            resource("aws_cloudwatch_metric_alarm", "dlq", {"dimensions": {}}),
        ],
        [
            configured(
                "aws_cloudwatch_metric_alarm.dlq", dimensions=["aws_sqs_queue.dlq", "each.key"]
            )
        ],
    )
    plan["resource_changes"] = [
        {
            "address": "aws_cloudwatch_metric_alarm.dlq",
            "change": {"after_unknown": {"dimensions": {"QueueName": True}}},
        }
    ]

    alarm = template(plan)["Resources"]["aws_cloudwatch_metric_alarm.dlq"]["Properties"]
    assert alarm["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn::GetAtt": ['aws_sqs_queue.dlq["a"]', "QueueName"]}}
    ]


def test_roles_have_the_policies_that_are_attached_to_them() -> None:
    found = properties("policies")

    assert found["aws_lambda_function.worker"]["Role"] == {
        "Fn::GetAtt": ["aws_iam_role.worker", "Arn"]
    }
    assert found["aws_iam_role.worker"]["ManagedPolicyArns"] == [
        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        {"Ref": "aws_iam_policy.literal"},
    ]
    assert found["aws_iam_role_policy.worker"]["Roles"] == [{"Ref": "aws_iam_role.worker"}]
    assert found["aws_iam_policy.keep"]["PolicyDocument"] == {
        "Fn::Unknown": "aws_iam_policy.keep.policy"
    }


def test_what_is_not_about_wiring_is_not_read() -> None:
    assert "not-to-be-read" in json.dumps(shown("services"))
    assert "not-to-be-read" not in json.dumps(template(shown("services")))


def test_what_the_provider_leaves_empty_is_not_configured() -> None:
    """As in a state that the provider has read from AWS."""
    arn = "arn:aws:sqs:eu-west-1:111122223333:jobs"
    empty = dict.fromkeys(("policy", "redrive_policy", "redrive_allow_policy"), "")
    plan = minimal(
        [
            resource("aws_sqs_queue", "jobs", {"arn": arn, "name": "jobs", **empty}),
            resource(
                "aws_lambda_function_event_invoke_config",
                "jobs",
                {"function_name": "jobs", "qualifier": ""},
            ),
        ],
        [],
    )

    assert template(plan)["Resources"] == {
        "aws_sqs_queue.jobs": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}},
        "aws_lambda_function_event_invoke_config.jobs": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {"FunctionName": "jobs", "Qualifier": "$LATEST"},
        },
    }


def test_a_sensitive_value_is_not_read() -> None:
    plan = minimal([resource("aws_sqs_queue", "jobs", {"name": "secret"})], [])
    plan["planned_values"]["root_module"]["resources"][0]["sensitive_values"] = {"name": True}

    assert "secret" not in json.dumps(template(plan))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"Resources": {}}, "terraform show -json"),
        ([], "terraform show -json"),
        ({"format_version": "2.0", "planned_values": {}}, "format_version"),
        ({"planned_values": {"root_module": {}}}, "format_version"),
        ({"format_version": "1.2", "planned_values": {"root_module": []}}, "root module"),
        ({"format_version": "1.2", "planned_values": {}, "errored": True}, "could not finish"),
    ],
)
def test_what_is_no_plan_is_refused_in_one_line(content: Any, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as refused:
        template(content)

    assert "\n" not in refused.value.message


def test_the_command_names_the_file_that_it_cannot_read(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"format_version": "3.0", "planned_values": {}}')

    with pytest.raises(UserError, match=r"plan\.json: its format_version is '3\.0'"):
        list(reports(plan))


def test_a_plan_and_a_state_are_told_from_other_json() -> None:
    assert is_plan(shown("modules"))
    assert is_plan(shown("modules", "state"))
    assert not is_plan({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    assert not is_plan({"values": {"replicas": 1}})


def test_references_in_a_circle_are_unknown() -> None:
    plan = minimal(
        [resource("aws_sqs_queue", "jobs", {"name": "jobs"})],
        [configured("aws_sqs_queue.jobs", redrive_policy=["module.a.out"])],
    )
    circle = {"out": {"expression": {"references": ["var.given"]}}}
    plan["configuration"]["root_module"]["module_calls"] = {
        "a": {
            "expressions": {"given": {"references": ["module.a.out"]}},
            "module": {"outputs": circle},
        }
    }

    assert redrive_target(template(plan)["Resources"]["aws_sqs_queue.jobs"]["Properties"]) == {
        "Fn::Unknown": "aws_sqs_queue.jobs.redrive_policy"
    }


def minimal(resources: list[Any], configuration: list[Any]) -> dict[str, Any]:
    """A plan of the oldest format, which has no `resource_changes` here."""
    return {
        "format_version": "0.1",
        "terraform_version": "0.13.0",
        "planned_values": {"root_module": {"resources": resources}},
        "configuration": {"root_module": {"resources": configuration}},
    }


def resource(type_: str, name: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": f"{type_}.{name}",
        "mode": "managed",
        "type": type_,
        "name": name,
        "values": values,
    }


def configured(address: str, **expressions: list[str]) -> dict[str, Any]:
    return {
        "address": address,
        "expressions": {name: {"references": each} for name, each in expressions.items()},
    }
