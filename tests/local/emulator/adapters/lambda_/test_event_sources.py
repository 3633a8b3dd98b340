"""Event source mappings of queues: permission, scaling, redelivery."""

import json
from typing import Any

import pytest
from local.support import Client, DeployStack, wait_until

from sls_patterns_cli.errors import UserError

SLEEPER = """
  {name}Source: {{Type: "AWS::SQS::Queue"}}
  {name}:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json, time
        def handler(event, context):
            print(json.dumps({{"at": time.time(), "running": 1}}))
            time.sleep(0.4)
            print(json.dumps({{"at": time.time(), "running": -1}}))
      LoggingConfig: {{LogGroup: sleeper-{name}}}
      Events:
        Queue:
          Type: SQS
          Properties: {{Queue: !GetAtt {name}Source.Arn, BatchSize: 1{mapping}}}
"""


def log(client: Client, group: str) -> list[dict[str, Any]]:
    logs = client("logs")
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        lines = [event["message"] for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [json.loads(line) for line in lines if line.startswith("{")]


def send(client: Client, queue: str, count: int) -> None:
    for number in range(count):
        client("sqs").send_message(QueueUrl=queue, MessageBody=str(number))


def most_at_a_time(client: Client, group: str, invocations: int) -> int:
    entries = wait_until(
        lambda: entries if len(entries := log(client, group)) == 2 * invocations else None, 40
    )
    running, most = 0, 0
    for entry in sorted(entries, key=lambda entry: entry["at"]):
        running += entry["running"]
        most = max(most, running)
    return most


def test_a_role_that_may_not_read_the_queue_fails_the_deploy(deploy_stack: DeployStack) -> None:
    body = """
Resources:
  Queue: {Type: "AWS::SQS::Queue"}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): pass"
      Policies:
        - Statement:
            - {Effect: Allow, Action: ["sqs:DeleteMessage", "sqs:GetQueueAttributes"],
               Resource: !GetAtt Queue.Arn}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: !GetAtt Queue.Arn, FunctionName: !Ref Function}
"""
    with pytest.raises(UserError) as failed:
        deploy_stack(body)
    assert "Mapping (AWS::Lambda::EventSourceMapping)" in failed.value.message
    assert "does not have permissions to call ReceiveMessage on SQS" in failed.value.message


READER = """
Resources:
  Stream: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): pass"
      Policies:
        - Statement:
            - Effect: Allow
              Action: ["kinesis:GetRecords", "kinesis:GetShardIterator", ACTIONS]
              Resource: !GetAtt Stream.Arn
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Stream.Arn
      FunctionName: !Ref Function
      StartingPosition: LATEST
"""


def test_a_role_may_describe_a_stream_and_its_shards_by_the_old_action(
    deploy_stack: DeployStack,
) -> None:
    deploy_stack(READER.replace("ACTIONS", '"kinesis:DescribeStream"'))


@pytest.mark.parametrize(
    ("allowed", "missing"),
    [
        ("kinesis:ListShards", "DescribeStreamSummary"),
        ("kinesis:DescribeStreamSummary", "ListShards"),
    ],
)
def test_a_role_that_may_not_describe_the_stream_fails_the_deploy(
    allowed: str, missing: str, deploy_stack: DeployStack
) -> None:
    with pytest.raises(UserError) as failed:
        deploy_stack(READER.replace("ACTIONS", f'"{allowed}"'))
    assert f"does not have permissions to call {missing} on Kinesis" in failed.value.message


def test_consumers_multiply_unless_the_mapping_limits_them(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(
        "Resources:"
        + SLEEPER.format(name="Free", mapping="")
        + SLEEPER.format(name="Mapped", mapping=", ScalingConfig: {MaximumConcurrency: 2}")
        + """
Outputs: {Free: {Value: !Ref FreeSource}, Mapped: {Value: !Ref MappedSource}}
"""
    )
    send(client, outputs["Mapped"], 8)
    assert most_at_a_time(client, "sleeper-Mapped", 8) == 2
    send(client, outputs["Free"], 60)
    assert most_at_a_time(client, "sleeper-Free", 60) > 5


def test_a_failed_message_is_delivered_as_often_as_the_queue_says_and_then_dead(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack("""
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 240
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 3}
  DeadLetters: {Type: "AWS::SQS::Queue"}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json, time
        def handler(event, context):
            print(json.dumps({"at": time.time()}))
            time.sleep(1.5)  # longer than the message is invisible here
            print(json.dumps({"ended": time.time()}))
            raise ValueError("poison")
      LoggingConfig: {LogGroup: poisoned}
      Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}}
Outputs: {Queue: {Value: !Ref Queue}, DeadLetters: {Value: !Ref DeadLetters}}
""")
    send(client, outputs["Queue"], 1)

    (dead,) = wait_until(
        lambda: (
            client("sqs")
            .receive_message(QueueUrl=outputs["DeadLetters"], WaitTimeSeconds=1)
            .get("Messages")
        )
    )

    assert dead["Body"] == "0"
    entries = log(client, "poisoned")
    begun = sorted(entry["at"] for entry in entries if "at" in entry)
    ended = sorted(entry["ended"] for entry in entries if "ended" in entry)
    waits = [start - end for start, end in zip(begun[1:], ended, strict=False)]
    assert len(begun) == 3
    assert all(0.9 < wait < 2 for wait in waits), waits


def test_a_way_of_days_to_a_dead_letter_queue_takes_as_long_as_its_attempts_here(
    deploy_stack: DeployStack, client: Client
) -> None:
    """Divided by the factor alone, each of its 30 waits would take three minutes."""
    outputs = deploy_stack("""
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: true
      VisibilityTimeout: 43200
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 30}
  DeadLetters: {Type: "AWS::SQS::Queue", Properties: {FifoQueue: true}}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json
        def handler(event, context):
            (message,) = event["Records"]
            print(json.dumps({"attempt": message["attributes"]["ApproximateReceiveCount"]}))
            raise ValueError("poison")
      LoggingConfig: {LogGroup: stubborn}
      Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn, BatchSize: 1}}}
Outputs: {Queue: {Value: !Ref Queue}, DeadLetters: {Value: !Ref DeadLetters}}
""")
    client("sqs").send_message(
        QueueUrl=outputs["Queue"],
        MessageBody="stubborn",
        MessageGroupId="one",
        MessageDeduplicationId="one",
    )

    def dead() -> Any:
        return client("sqs").receive_message(QueueUrl=outputs["DeadLetters"]).get("Messages")

    (message,) = wait_until(dead)

    assert message["Body"] == "stubborn"
    attempts = [int(each["attempt"]) for each in log(client, "stubborn")]
    assert sorted(attempts) == list(range(1, 31))


def test_groups_of_a_fifo_queue_run_side_by_side_and_each_in_its_order(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack("""
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: groups.fifo, FifoQueue: true, ContentBasedDeduplication: true}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json, time
        def handler(event, context):
            (message,) = event["Records"]
            described = {"group": message["attributes"]["MessageGroupId"], "body": message["body"]}
            print(json.dumps({"at": time.time(), "running": 1, **described}))
            time.sleep(0.4)
            print(json.dumps({"at": time.time(), "running": -1, **described}))
      LoggingConfig: {LogGroup: groups}
      Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn, BatchSize: 1}}}
Outputs: {Queue: {Value: !Ref Queue}}
""")
    for number in range(3):
        for group in ("a", "b"):
            client("sqs").send_message(
                QueueUrl=outputs["Queue"], MessageBody=f"{group}{number}", MessageGroupId=group
            )

    assert most_at_a_time(client, "groups", 6) == 2
    entries = sorted(log(client, "groups"), key=lambda entry: entry["at"])
    for group in ("a", "b"):
        steps = [(each["body"], each["running"]) for each in entries if each["group"] == group]
        assert steps == [(f"{group}{n}", step) for n in range(3) for step in (1, -1)]


@pytest.mark.parametrize("fifo", [False, True])
def test_a_message_that_is_visible_before_its_function_ends_is_done_and_given_up(
    deploy_stack: DeployStack, client: Client, *, fifo: bool
) -> None:
    kind = "FifoQueue: true" if fifo else "DelaySeconds: 0"
    outputs = deploy_stack(f"""
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      {kind}
      VisibilityTimeout: 1
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 2}}
  DeadLetters:
    Type: AWS::SQS::Queue
    Properties: {{{kind}}}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json, time
        def handler(event, context):
            time.sleep(1.2)
            print(json.dumps({{"ended": time.time()}}))
      LoggingConfig: {{LogGroup: slow-{fifo}}}
      Events: {{Queue: {{Type: SQS, Properties: {{Queue: !GetAtt Queue.Arn, BatchSize: 1}}}}}}
Outputs: {{Queue: {{Value: !Ref Queue}}, DeadLetters: {{Value: !Ref DeadLetters}}}}
""")
    group = {"MessageGroupId": "one", "MessageDeduplicationId": "one"} if fifo else {}
    client("sqs").send_message(QueueUrl=outputs["Queue"], MessageBody="slow", **group)

    def dead() -> Any:
        return client("sqs").receive_message(QueueUrl=outputs["DeadLetters"]).get("Messages")

    (message,) = wait_until(dead)
    assert message["Body"] == "slow"
    wait_until(lambda: len(log(client, f"slow-{fifo}")) == 2)
