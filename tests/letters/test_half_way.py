"""What goes back only in part or anew: tasks of SQS that fail, Kafka, executions that are over."""

import json
import signal
from typing import Any

import pytest
from command import Cli
from letters.conftest import Letters, bodies
from letters.proxy import Hook, proxy
from letters.test_deployed import YAML, Create, create
from letters.test_interruptions import Stopper, five_minutes_later, visible
from local.support import Client, DeployStack, objects, seen, wait_until

from sls_patterns_cli.local.emulator.server import Emulator

__all__ = ["create"]

STACK = """
Resources:
  Cluster: {Type: "AWS::SNS::Topic"}
  Consumer:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json
        def handler(event, context):
            if "poison" in json.dumps(event):
                raise ValueError("poison")
            print("seen " + json.dumps(event))
  FromTopic:
    Type: AWS::Lambda::EventSourceMapping
    Properties: &kafka
      Enabled: false
      FunctionName: !Ref Consumer
      SelfManagedEventSource: {Endpoints: {KafkaBootstrapServers: ["kafka.example.com:9092"]}}
      Topics: [orders]
      StartingPosition: LATEST
      DestinationConfig: {OnFailure: {Destination: !GetAtt Batches.Arn}}
  FromOther:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      <<: *kafka
      DestinationConfig: {OnFailure: {Destination: !GetAtt Places.Arn}}
  Batches: {Type: "AWS::S3::Bucket"}
  Places: {Type: "AWS::SQS::Queue"}

  Long: &machine
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !GetAtt Role.Arn
      DefinitionString: '{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}'
  Short:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineType: EXPRESS
      RoleArn: !GetAtt Role.Arn
      DefinitionString: '{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}'
  LongEnded:
    Type: AWS::Events::Rule
    Properties:
      EventPattern:
        source: [aws.states]
        detail: {status: [FAILED], stateMachineArn: [!Ref Long]}
      Targets: [{Id: queue, Arn: !GetAtt LongFailed.Arn}]
  LongFailed: {Type: "AWS::SQS::Queue"}
  ShortEnded:
    Type: AWS::Events::Rule
    Properties:
      EventPattern:
        source: [aws.states]
        detail: {status: [FAILED], stateMachineArn: [!Ref Short]}
      Targets: [{Id: queue, Arn: !GetAtt ShortFailed.Arn}]
  ShortFailed: {Type: "AWS::SQS::Queue"}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Action: "sts:AssumeRole", Principal: {Service: states.amazonaws.com}}
"""
SENT = [f"letter {number}" for number in range(4)]


def ids_of(client: Client, stack: str) -> dict[str, str]:
    pages = client("cloudformation").get_paginator("list_stack_resources")
    return {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for page in pages.paginate(StackName=stack)
        for each in page["StackResourceSummaries"]
    }


class Over:
    """Says of an execution what Step Functions says 14 days after its end."""

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._described = {
            "executionArn": arn,
            "stateMachineArn": arn.rpartition(":")[0].replace(":execution:", ":stateMachine:"),
            "name": "over",
            "status": "FAILED",
            "startDate": 0,
            "input": '{"over": 14}',
            "redriveStatus": "NOT_REDRIVABLE",
        }

    def __call__(self, action: str, when: str, content: bytes) -> bool | bytes:
        if when == "before" and action.endswith(".DescribeExecution"):
            asked = json.loads(content)["executionArn"]
            return json.dumps(self._described).encode() if asked == self._arn else False
        return False


class Kill:
    """Runs `letters` until a stopper kills it; `over` answers in the place of the service."""

    def __init__(self, user: Cli, port: int) -> None:
        self._user, self.port = user, port

    def __call__(self, stopper: Stopper, *arguments: str, over: Hook | None = None) -> None:
        def hook(action: str, when: str, content: bytes) -> bool | bytes:
            stopper(action, when, content)
            return over(action, when, content) if over else False

        with proxy(self.port, hook) as address:
            # What is held is shown again after 1.5 s then, as on AWS after five minutes.
            given = {"AWS_ENDPOINT_URL": address, "LOCAL_TIME_FACTOR": "1"}
            command = Cli(self._user.folder, self._user.environment)
            started = command.start("letters", *arguments, "--yes", **given)
            stopper.watch(started)
            started.communicate()
        assert started.returncode == -signal.SIGKILL


@pytest.fixture
def kill(user: Cli, emulator: Emulator) -> Kill:
    return Kill(user, emulator.port)


@pytest.fixture(scope="module")
def works(deploy_stack: DeployStack, client: Client) -> dict[str, str]:
    """The physical ids of the stack `works`."""
    deploy_stack(STACK, "works")
    return ids_of(client, "works")


@pytest.fixture
def queues(create: Create, client: Client, request: pytest.FixtureRequest) -> dict[str, str]:
    """A deployed queue with letters in its dead-letter queue, and the stack's name."""
    name = f"half-way-{abs(hash(request.node.name)) % 10**8}"
    create(name, YAML)
    ids = ids_of(client, name)
    for text in SENT:
        client("sqs").send_message(QueueUrl=ids["First"], MessageBody=text)
    return {**ids, "stack": name}


def verdicts(letters: Letters, end: str, **environment: str) -> tuple[dict[str, int], list[str]]:
    chosen = ("--end", end, "--older-than", "0s", "--yes", "--json")
    done = letters("redrive", "--stack", "works", *chosen, **environment)
    assert done.returncode in {0, 1}, done.stderr
    (report,) = json.loads(done.stdout)
    counted = {verdict: count for verdict, count in report["verdicts"].items() if count}
    return counted, [letter["reason"] for letter in report["letters"]]


def test_a_task_of_sqs_that_fails_half_way_is_told_and_the_rest_goes_back_one_by_one(
    queues: dict[str, str], letters: Letters, client: Client, emulator: Emulator
) -> None:
    sqs = client("sqs")

    def failing(action: str, when: str, _content: bytes) -> bool | bytes:
        name = action.rpartition(".")[2]
        if (name, when) == ("StartMessageMoveTask", "before"):
            for message in sqs.receive_message(QueueUrl=queues["First"], MaxNumberOfMessages=2)[
                "Messages"
            ]:
                sqs.send_message(QueueUrl=queues["Queue"], MessageBody=message["Body"])
                sqs.delete_message(QueueUrl=queues["First"], ReceiptHandle=message["ReceiptHandle"])
            return b'{"TaskHandle": "handle"}'
        if (name, when) == ("ListMessageMoveTasks", "before"):
            task = {"Status": "FAILED", "FailureReason": "AWS.SimpleQueueService.AccessDenied"}
            return json.dumps(
                {"Results": [{**task, "ApproximateNumberOfMessagesMoved": 2}]}
            ).encode()
        return False

    with proxy(emulator.port, failing) as address:
        given = {"AWS_ENDPOINT_URL": address}
        done = letters(
            "redrive", "--stack", queues["stack"], "--all", "--no-canary", "--yes", **given
        )
    again = letters(
        *("redrive", "--stack", queues["stack"], "--older-than", "0s", "--no-canary", "--yes")
    )

    assert done.returncode == 1
    said = done.stdout.splitlines()
    assert "First: 2 sent back" in said
    reason = "AWS.SimpleQueueService.AccessDenied"
    one_by_one = "with --older-than 0s letters are sent one by one"
    assert said[-1] == f"  SQS ended its task: {reason}; {one_by_one}"
    assert (again.returncode, again.stdout) == (0, "First: 2 sent back\n")
    assert sorted(bodies(client, queues["Queue"])) == SENT


def test_a_redrive_that_is_killed_while_sqs_moves_loses_and_doubles_nothing(
    queues: dict[str, str], kill: Kill, client: Client
) -> None:
    stopper = Stopper("after StartMessageMoveTask", signal.SIGKILL, 1)

    kill(stopper, "redrive", "--stack", queues["stack"], "--all", "--no-canary")

    assert sorted(bodies(client, queues["Queue"])) == SENT
    assert not visible(client, queues["First"])


def kafka(function: str, *, message: str | None = None) -> dict[str, Any]:
    """Return what Lambda records of a batch of Kafka; a bucket has the event as well."""
    record = {
        "requestContext": {
            "requestId": "316aa6d0",
            "functionArn": f"arn:aws:lambda:eu-west-1:000000000000:function:{function}",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "version": "1.0",
        "KafkaBatchInfo": {
            "batchSize": 1,
            "bootstrapServers": "kafka.example.com:9092",
            "payloadSize": 100,
            "recordsInfo": {"orders-0": {"firstRecordOffset": "7", "lastRecordOffset": "7"}},
        },
    }
    if message is None:
        return record
    event = {"eventSource": "SelfManagedKafka", "records": {"orders-0": [{"value": message}]}}
    return {**record, "payload": json.dumps(event)}


def test_a_batch_of_kafka_in_a_bucket_goes_to_its_function_as_it_was(
    works: dict[str, str], letters: Letters, client: Client
) -> None:
    folder = f"aws/lambda/{works['FromTopic']}/orders/2026/11/29"
    for name in ("good", "poison"):
        body = json.dumps(kafka(works["Consumer"], message=name))
        client("s3").put_object(Bucket=works["Batches"], Key=f"{folder}/{name}", Body=body)

    counted, reasons = verdicts(letters, "Batches")

    assert counted == {"processed": 1, "failed-again": 1}
    assert reasons == ["Consumer failed again: poison"]
    assert {*objects(client, works["Batches"])} == {f"{folder}/poison"}
    event = json.loads(seen(client, works["Consumer"])[-1])
    assert event["records"] == {"orders-0": [{"value": "good"}]}


def test_a_batch_of_kafka_in_a_queue_is_kept_since_only_the_cluster_has_it(
    works: dict[str, str], letters: Letters, client: Client
) -> None:
    client("sqs").send_message(
        QueueUrl=works["Places"], MessageBody=json.dumps(kafka(works["Consumer"]))
    )

    listed = letters("list", "--stack", "works", "--end", "Places", "--json")
    found = verdicts(letters, "Places")

    (group,) = json.loads(listed.stdout)["ends"][0]["groups"]
    assert (group["failed"], group["cause"]) == ("Consumer", "RetryAttemptsExhausted: Unhandled")
    reason = "only the cluster has its records, at the offsets it names: orders-0"
    assert found == ({"kept": 1}, [reason])
    assert len(bodies(client, works["Places"])) == 1


def failed_execution(client: Client, url: str, arn: str, **detail: str) -> None:
    event = {"source": "aws.states", "detail": {"executionArn": arn, "status": "FAILED", **detail}}
    client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(event))


def test_an_express_machine_has_no_letters_as_it_reports_no_failure_and_redrives_nothing(
    works: dict[str, str], letters: Letters
) -> None:
    """Fact R17; what a rule or a pipe could not start of it is a letter of theirs."""
    ends = json.loads(letters("list", "--stack", "works", "--json").stdout)["ends"]

    assert works["ShortFailed"]
    assert {end["end"] for end in ends} == {"Batches", "Places", "LongFailed"}


ONE = ("--stack", "works", "--end", "LongFailed", "--older-than", "0s")


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_execution_that_is_over_for_14_days_begins_anew_once_also_if_it_is_killed(
    is_killed: bool,  # noqa: FBT001
    works: dict[str, str],
    letters: Letters,
    client: Client,
    kill: Kill,
) -> None:
    arn = works["Long"].replace(":stateMachine:", ":execution:") + ":over"
    failed_execution(client, works["LongFailed"], arn)
    before = len(runs(client, works["Long"]))
    if is_killed:
        kill(Stopper("after StartExecution", signal.SIGKILL, 1), "redrive", *ONE, over=Over(arn))
        five_minutes_later(client, works["LongFailed"])
        wait_until(lambda: is_shown(client, works["LongFailed"]))

    with proxy(kill.port, Over(arn)) as address:
        found = verdicts(letters, "LongFailed", AWS_ENDPOINT_URL=address)

    assert found == ({"processed": 1}, [])
    anew = runs(client, works["Long"])
    assert len(anew) == before + 1
    assert anew[0] == '{"over": 14}'
    assert bodies(client, works["LongFailed"]) == []


def runs(client: Client, machine: str) -> list[str]:
    """Return the input of each execution of a machine, the newest first."""
    machines = client("stepfunctions")
    found = machines.list_executions(stateMachineArn=machine)["executions"]
    return [machines.describe_execution(executionArn=e["executionArn"])["input"] for e in found]


def is_shown(client: Client, url: str, count: int = 1) -> bool:
    """Tell whether so many letters are held by nobody."""
    names = ["ApproximateNumberOfMessages"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]) >= count


PUBLIC = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Description: SNS to SQS to Lambda with a dead-letter queue
Resources:
  MySqsQueue:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt MyDLQ.Arn, maxReceiveCount: 3}
  MyDLQ: {Type: "AWS::SQS::Queue"}
  MyFunction:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): pass"
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt FunctionDLQ.Arn}
      Events:
        Queue: {Type: SQS, Properties: {Queue: !GetAtt MySqsQueue.Arn, Enabled: false}}
  FunctionDLQ: {Type: "AWS::SQS::Queue"}
"""


def test_letters_of_somebody_elses_stack_are_discarded_by_group_and_a_kill_loses_none(
    deploy_stack: DeployStack, letters: Letters, kill: Kill, client: Client, cli: Cli
) -> None:
    deploy_stack(PUBLIC, "sample")
    ids = ids_of(client, "sample")
    for text in SENT:
        client("sqs").send_message(QueueUrl=ids["MyDLQ"], MessageBody=text)
    told = {name: {"DataType": "String", "StringValue": name} for name in ("RequestID",)}
    client("sqs").send_message(
        QueueUrl=ids["FunctionDLQ"], MessageBody="of the function", MessageAttributes=told
    )
    ends = json.loads(letters("list", "--stack", "sample", "--json").stdout)["ends"]
    (group,) = (end["groups"][0]["group"] for end in ends if end["end"] == "MyDLQ")
    copies = [cli.folder / name for name in ("first.jsonl", "second.jsonl")]
    chosen = ("discard", "--stack", "sample", "--group", group, "--to")

    kill(Stopper("before DeleteMessageBatch", signal.SIGKILL), *chosen, str(copies[0]))
    left = visible(client, ids["MyDLQ"])
    wait_until(lambda: is_shown(client, ids["MyDLQ"], left))
    done = letters(*chosen, copies[1], "--yes")

    assert 0 < left < len(SENT)
    assert done.stdout == f"MyDLQ: {left} discarded, and copied to second.jsonl\n"
    copied = [
        [json.loads(line)["body"] for line in each.read_text().splitlines()] for each in copies
    ]
    assert {*copied[0], *copied[1]} == {*SENT}
    assert len({*copied[0]} & {*copied[1]}) <= 1
    assert bodies(client, ids["MyDLQ"]) == []
    assert bodies(client, ids["FunctionDLQ"]) == ["of the function"]
