"""What `local up` keeps running: other commands find it, talk to it, and changes get into it."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from command import Cli
from local.support import wait_until, write
from local.up import Up

pytestmark = pytest.mark.xdist_group("running-stack")

ANSWERS = """
pattern: scalable-webhook
project_name: shop
runtime: python
runtime_version: python3.13
iac: sam
region: eu-west-1
"""

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {CodeUri: src/, Runtime: python3.13}
Resources:
  Greet:
    Type: AWS::Serverless::Function
    Properties:
      Handler: shop.greet
      Environment: {Variables: {GREETING: hello}}
      Events: {Greet: {Type: HttpApi, Properties: {Method: GET, Path: /greeting}}}
  Consume:
    Type: AWS::Serverless::Function
    Properties:
      Handler: shop.consume
      Events:
        Orders: {Type: SQS, Properties: {Queue: !GetAtt Orders.Arn}}
        Steps: {Type: SQS, Properties: {Queue: !GetAtt Steps.Arn}}
        Records:
          Type: Kinesis
          Properties: {Stream: !GetAtt Records.Arn, StartingPosition: TRIM_HORIZON}
        Changes:
          Type: DynamoDB
          Properties: {Stream: !GetAtt Items.StreamArn, StartingPosition: TRIM_HORIZON}
        Event:
          Type: EventBridgeRule
          Properties: {EventBusName: !Ref Bus, Pattern: {source: [shop]}}
        Notice: {Type: SNS, Properties: {Topic: !Ref Notices, FilterPolicy: {kind: [placed]}}}
        File: {Type: S3, Properties: {Bucket: !Ref Files, Events: "s3:ObjectCreated:*"}}
  Orders: {Type: AWS::SQS::Queue}
  Steps: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true}}
  Notices: {Type: AWS::SNS::Topic}
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: shop}}
  Ledger: {Type: AWS::EventsV2::EventBus, Properties: {Name: ledger}}
  ToOrders:
    Type: AWS::EventsV2::Subscriber
    Properties:
      Name: to-orders
      EventBusArn: !Ref Ledger
      Transformer: {Type: WITH_METADATA}
      InvokeConfiguration: {TargetArn: !GetAtt Orders.Arn, RoleArn: !GetAtt Deliver.Arn}
  Deliver:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: deliver
          PolicyDocument:
            Statement: [{Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt Orders.Arn}]
  Records: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
  Files: {Type: AWS::S3::Bucket}
  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      BillingMode: PAY_PER_REQUEST
      StreamSpecification: {StreamViewType: NEW_IMAGE}
Outputs: {ApiUrl: {Value: !GetAtt ServerlessHttpApi.ApiEndpoint}}
"""

CODE = """
import json, os

def greet(event, context):
    if event.get("fail"):
        raise ValueError("as was asked for")
    return {"statusCode": 200, "body": os.environ["GREETING"]}

def consume(event, context):
    print("seen", json.dumps(event))
"""

PROJECT = {
    ".copier-answers.yml": ANSWERS,
    "template.yaml": TEMPLATE,
    "src/shop.py": CODE,
    "events/placed.json": '{"id": "1", "price": 1.5}',
    "events/event.json": json.dumps(
        {"source": "shop", "detail-type": "placed", "detail": {"id": "2"}}
    ),
}


SECONDS = 60
"""How long a busy machine may take to deploy a change, or to deliver a message."""


@pytest.fixture(scope="module")
def up(user: Cli) -> Iterator[Up]:
    root = user.folder / "shop"
    write(root, PROJECT)
    running = Up(user, root, "--watch", "--env", str(root / ".env"), seconds=SECONDS)
    wait_until(lambda: "Watching shop" in running.printed, SECONDS)
    yield running
    running.end()


def in_shop(user: Cli) -> Cli:
    return Cli(user.folder / "shop", user.environment)


def seen(up: Up) -> list[Any]:
    """Return the events that the consumer has logged."""
    lines = [line for line in up.printed.splitlines() if line.startswith("[Consume] seen ")]
    return [json.loads(line.removeprefix("[Consume] seen ")) for line in lines]


def test_another_terminal_evaluates_what_env_prints(up: Up, user: Cli) -> None:
    done = in_shop(user)("local", "env")
    assert done.returncode == 0, done.stderr
    script = f'{done.stdout}\nprintf "%s %s" "$ApiUrl" "$AWS_REGION"'
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    url, region = printed.stdout.split()
    assert url.startswith("http://127.0.0.1:")
    assert region == "eu-west-1"
    assert all(line in up.printed for line in done.stdout.splitlines())


def test_env_is_found_from_a_folder_below_and_prints_json(up: Up, user: Cli) -> None:
    below = Cli(up.root / "src", user.environment)
    variables = json.loads(below("local", "env", "--json").stdout)
    assert variables["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert variables["ApiUrl"].startswith(variables["AWS_ENDPOINT_URL"])


def test_the_file_of_env_has_what_a_shell_needs(up: Up, user: Cli) -> None:
    shown = json.loads(in_shop(user)("local", "env", "--json").stdout)
    script = 'set -a; . "$0"; "$1" -c "import json, os; print(json.dumps(dict(os.environ)))"'
    printed = subprocess.run(
        ["sh", "-c", script, up.root / ".env", sys.executable],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(printed.stdout).items() >= shown.items()


@pytest.mark.usefixtures("up")
def test_invoke_prints_what_a_function_returns(user: Cli) -> None:
    done = in_shop(user)("local", "invoke", "greet")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statusCode"] == 200


@pytest.mark.usefixtures("up")
def test_invoke_tells_what_a_function_raises_and_logs(user: Cli) -> None:
    event = user.folder / "fail.json"
    event.write_text('{"fail": true}')
    done = in_shop(user)("local", "invoke", "Greet", str(event))
    assert done.returncode == 1
    assert json.loads(done.stdout)["errorMessage"] == "as was asked for"
    assert "as was asked for" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "arrived"),
    [
        (["Orders"], "aws:sqs"),
        (["Steps", "--key", "group-1"], "aws:sqs"),
        (["Notices", "--attribute", "kind=placed"], "aws:sns"),
        (["Records", "--key", "shard"], "aws:kinesis"),
        (["Items"], "aws:dynamodb"),
        (["Files", "--key", "orders/1.json"], "aws:s3"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else each,
)
def test_what_is_sent_arrives(arguments: list[str], arrived: str, up: Up, user: Cli) -> None:
    name, *options = arguments

    def received() -> list[Any]:
        records = [record for event in seen(up) for record in event.get("Records", [])]
        return [
            each for each in records if each.get("eventSource", each.get("EventSource")) == arrived
        ]

    before = len(received())
    done = in_shop(user)("local", "send", name, "events/placed.json", *options)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: len(received()) > before, SECONDS)


def test_an_event_gets_into_a_bus_and_one_for_a_function_into_its_queue(up: Up, user: Cli) -> None:
    for name in ("Bus", "Consume"):
        assert in_shop(user)("local", "send", name, "events/event.json").returncode == 0
    wait_until(lambda: sum("detail" in event for event in seen(up)) == 2, SECONDS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(
            ["events/event.json", "--key", "a"], {"data": "shop", "group": "a"}, id="event"
        ),
        pytest.param(
            ["events/placed.json", "--attribute", "kind=placed"],
            {"metadata": {"kind": "placed"}},
            id="raw",
        ),
    ],
)
def test_an_event_gets_into_a_custom_bus(
    arguments: list[str], expected: dict[str, Any], up: Up, user: Cli
) -> None:
    done = in_shop(user)("local", "send", "Ledger", *arguments)
    assert done.returncode == 0, done.stderr
    id_ = done.stdout.split()[-1]

    def arrived() -> list[Any]:
        records = [record for event in seen(up) for record in event.get("Records", [])]
        sent = [json.loads(record["body"]) for record in records if "body" in record]
        return [each for each in sent if each.get("SystemMetadata", {}).get("aws:EventId") == id_]

    (event,) = wait_until(arrived, SECONDS)
    found = {
        "data": event["Data"].get("source"),
        "group": event["SystemMetadata"].get("EventGroupId"),
        "metadata": event.get("Metadata"),
    }
    assert {key: value for key, value in found.items() if value} == expected


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["send", "Bus", "events/placed.json"], "source, detail-type and detail"),
        (["send", "Nothing", "events/placed.json"], "choose from: Bus, Consume"),
        (["send", "Items", "src/shop.py"], "not JSON"),
        (["send", "Items", "events/event.json"], "Items refused it"),
        (["send", "Orders", "events/none.json"], "No such file"),
        (["send", "Orders", "events/placed.json", "--attribute", "kind"], "NAME=VALUE"),
        (["send", "Orders", "template.yaml", "--project", ".."], "no local stack"),
        (["invoke", "Orders"], "choose from: Consume, Greet"),
        (["invoke", "Greet", "src/shop.py"], "not JSON"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_cannot_be_sent_is_one_line(arguments: list[str], says: str, user: Cli) -> None:
    done = in_shop(user)("local", *arguments)
    assert (done.returncode != 0, done.stdout) == (True, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("sls-patterns: ")
    assert says in line


def greeting(user: Cli) -> str:
    url = json.loads(in_shop(user)("local", "env", "--json").stdout)["ApiUrl"]
    with urllib.request.urlopen(f"{url}/greeting", timeout=10) as answer:  # noqa: S310 (the stack's own)
        return str(answer.read().decode())


def test_a_saved_change_of_the_code_is_served(up: Up, user: Cli) -> None:
    source = up.root / "src/shop.py"
    source.write_text(CODE.replace('os.environ["GREETING"]', '"from the new code"'))
    wait_until(lambda: greeting(user) == "from the new code", SECONDS)
    wait_until(lambda: "Deployed Consume, Greet in " in up.printed, SECONDS)


def test_a_saved_change_of_the_template_deploys_what_differs(up: Up, user: Cli) -> None:
    (up.root / "src/shop.py").write_text(CODE)
    template = up.root / "template.yaml"
    template.write_text(TEMPLATE.replace("GREETING: hello", "GREETING: welcome"))
    wait_until(lambda: greeting(user) == "welcome", SECONDS)
    wait_until(
        lambda: "Deployed Greet in " in up.printed or "Deployed Consume, Greet" in up.printed,
        SECONDS,
    )


def test_a_change_that_cannot_be_built_is_told_and_the_next_one_deployed(up: Up, user: Cli) -> None:
    source = up.root / "src/shop.py"
    source.write_text("def greet(event, context)\n")
    wait_until(
        lambda: "Not deployed (src/shop.py): src/shop.py:1: expected ':'" in up.printed, SECONDS
    )
    source.write_text(CODE.replace('os.environ["GREETING"]', '"whole again"'))
    wait_until(lambda: greeting(user) == "whole again", SECONDS)


@pytest.mark.usefixtures("up")
def test_logs_follows_what_the_functions_log(user: Cli) -> None:
    following = in_shop(user).start("local", "logs", PYTHONUNBUFFERED="1")
    try:
        assert in_shop(user)("local", "send", "Orders", "events/placed.json").returncode == 0
        assert following.stdout
        wait_until(lambda: "[Consume] seen" in following.stdout.readline(), SECONDS)  # type: ignore[union-attr]
    finally:
        following.send_signal(signal.SIGINT)
        following.wait(20)
    assert following.returncode == 0


def test_what_does_not_run_is_one_line(user: Cli) -> None:
    alone = user.folder / "alone"
    write(alone, PROJECT)
    for command in (["env"], ["logs"], ["invoke", "Greet"], ["send", "Orders", "template.yaml"]):
        done = Cli(alone, user.environment)("local", *command)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert line.endswith("is running; start one in another terminal: sls-patterns local up")


def test_a_stack_that_was_killed_does_not_run(user: Cli) -> None:
    root = user.folder / "killed"
    write(root, PROJECT)
    up = Up(user, root, seconds=SECONDS)
    inside = Cli(root, user.environment)
    assert inside("local", "env").returncode == 0
    up.end(signal.SIGKILL)
    assert (root / ".sls-patterns/running.json").exists()
    wait_until(lambda: inside("local", "env").returncode == 2, SECONDS)


def test_a_stack_that_ends_takes_its_record_along(user: Cli) -> None:
    root = user.folder / "ended"
    write(root, PROJECT)
    up = Up(user, root, seconds=SECONDS)
    assert (root / ".sls-patterns/running.json").exists()
    up.end()
    assert up.code == 0
    assert not (root / ".sls-patterns/running.json").exists()


def test_a_file_of_somebody_else_is_not_replaced(user: Cli) -> None:
    root = user.folder / "careful"
    write(root, {**PROJECT, ".env": "SECRET=mine"})
    done = Cli(root, user.environment)("local", "up", "--env", ".env")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--env .env exists and is not replaced" in done.stderr
    assert (root / ".env").read_text() == "SECRET=mine"
