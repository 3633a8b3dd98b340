"""`pause` stops what starts a function, `resume` starts it again, and nothing is deployed."""

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from command import Cli
from letters.conftest import Letters
from letters.proxy import proxy
from letters.test_interruptions import Stopper
from local.support import Client, DeployStack, seen, wait_until
from screen import plain_environment, see

from sls_patterns_cli.local.emulator.server import Emulator

if TYPE_CHECKING:
    import pexpect

STACK = """
Resources:
  Jobs: {Type: "AWS::SQS::Queue"}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: &code |
        import json
        def handler(event, context):
            print("seen " + json.dumps(event))
      Events:
        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}
        # What the template disables is nobody's pause.
        Later: {Type: SQS, Properties: {Queue: !GetAtt Unused.Arn, Enabled: false}}
  Unused: {Type: "AWS::SQS::Queue"}
  Nightly:
    Type: AWS::Serverless::Function
    Properties: {InlineCode: *code}
  Night:
    Type: AWS::Scheduler::Schedule
    Properties:
      GroupName: !Ref Nights
      ScheduleExpression: cron(0 3 * * ? *)
      ScheduleExpressionTimezone: Europe/Zurich
      Description: what an update must not lose
      FlexibleTimeWindow: {Mode: FLEXIBLE, MaximumWindowInMinutes: 7}
      Target:
        Arn: !GetAtt Nightly.Arn
        RoleArn: !GetAtt Role.Arn
        Input: '{"run": "nightly"}'
        RetryPolicy: {MaximumRetryAttempts: 3}
  Nights: {Type: "AWS::Scheduler::ScheduleGroup", Properties: {Name: nights}}
  Bus: {Type: "AWS::Events::EventBus", Properties: {Name: placed}}
  Listener:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: *code
      Policies: [Statement: [{Effect: Allow, Action: "sqs:SendMessage", Resource: "*"}]]
  Placed:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {source: [orders]}
      Targets:
        - {Id: listener, Arn: !GetAtt Listener.Arn}
        - {Id: jobs, Arn: !GetAtt Unused.Arn}
  Told:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref News, Protocol: lambda, Endpoint: !GetAtt Listener.Arn}
  News: {Type: "AWS::SNS::Topic"}
  MayCall:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !Ref Listener
      Action: lambda:InvokeFunction
      Principal: events.amazonaws.com
      SourceArn: !GetAtt Placed.Arn
  Idle0A1B2C3D:  # as CDK names it
    Type: AWS::Serverless::Function
    Properties: {InlineCode: *code}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Action: "sts:AssumeRole", Principal: {Service: scheduler.amazonaws.com}}
Outputs:
  Jobs: {Value: !Ref Jobs}
  Worker: {Value: !Ref Worker}
  Mapping: {Value: !Ref WorkerJobs}
  Night: {Value: !Ref Night}
  Listener: {Value: !Ref Listener}
  Placed: {Value: !GetAtt Placed.Arn}
  RoleArn: {Value: !GetAtt Role.Arn}
"""
OF_STACK = ("--stack", "pausing")
WORKER = "WorkerJobs (event source mapping of Jobs)"
RESUME = "to resume it: sls-patterns letters resume"

Pausing = dict[str, str]


@pytest.fixture(scope="module")
def pausing(deploy_stack: DeployStack) -> Pausing:
    return deploy_stack(STACK, "pausing")


def paused(letters: Letters) -> list[str]:
    """Return what `list` says is paused, which is what its JSON says."""
    lines = letters("list", *OF_STACK).stdout.splitlines()
    told = json.loads(letters("list", *OF_STACK, "--json").stdout)["paused"]
    said = [line for line in lines if " is paused: " in line]
    assert [line.split(" ")[0] for line in said] == [each["function"] for each in told]
    return said


def test_pause_stops_a_consumer_and_resume_starts_it(
    letters: Letters, pausing: Pausing, client: Client
) -> None:
    sqs = client("sqs")
    assert paused(letters) == []

    stopped = letters("pause", "Worker", *OF_STACK, "--yes")
    sqs.send_message(QueueUrl=pausing["Jobs"], MessageBody="while it is paused")
    waiting = sqs.get_queue_attributes(QueueUrl=pausing["Jobs"], AttributeNames=["All"])

    assert stopped.returncode == 0
    assert stopped.stdout.splitlines() == [
        f"Worker: {WORKER} is disabled; Jobs keeps what comes meanwhile, until its retention ends",
        f"Worker still processes what it has received; {RESUME} Worker",
    ]
    assert waiting["Attributes"]["ApproximateNumberOfMessages"] == "1"
    assert paused(letters) == [f"Worker is paused: {WORKER} is disabled; {RESUME} Worker"]
    assert bodies_seen(client, pausing) == []
    again = letters("pause", pausing["Worker"], *OF_STACK, "--yes", "--json")  # by its name
    (source,) = json.loads(again.stdout)["sources"]
    assert (source["enabled"], source["changed"]) == (False, False)

    started = letters("resume", "Worker", *OF_STACK, "--yes")

    assert (started.returncode, started.stdout) == (0, f"Worker: {WORKER} is enabled\n")
    wait_until(lambda: bodies_seen(client, pausing) == ["while it is paused"])
    assert paused(letters) == []


def bodies_seen(client: Client, pausing: Pausing) -> list[str]:
    events = [json.loads(line) for line in seen(client, pausing["Worker"])]
    return [record["body"] for event in events for record in event["Records"]]


def test_a_schedule_is_paused_and_keeps_all_else(
    letters: Letters, pausing: Pausing, client: Client
) -> None:
    def schedule() -> dict[str, Any]:
        named = {"Name": pausing["Night"], "GroupName": "nights"}
        found: dict[str, Any] = client("scheduler").get_schedule(**named)
        return {
            name: value
            for name, value in found.items()
            if name not in {"LastModificationDate", "ResponseMetadata"}
        }

    before = schedule()
    stopped = letters("pause", "Nightly", *OF_STACK, "--yes")
    between = schedule()
    started = letters("resume", "Nightly", *OF_STACK, "--yes")

    assert stopped.stdout.splitlines()[0] == (
        "Nightly: Night (schedule) is disabled; what is due meanwhile is skipped"
    )
    assert started.stdout == "Nightly: Night (schedule) is enabled\n"
    assert before["State"] == "ENABLED"
    assert before["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 3}
    assert between == {**before, "State": "DISABLED"}
    assert schedule() == before


def test_a_rule_is_paused_and_the_output_says_what_is_lost_and_what_goes_on(
    letters: Letters, pausing: Pausing, client: Client
) -> None:
    event = {"Source": "orders", "DetailType": "Placed", "EventBusName": "placed"}

    def put(number: int) -> None:
        detail = json.dumps({"number": number})
        client("events").put_events(Entries=[{**event, "Detail": detail}])

    def numbers() -> list[int]:
        lines = seen(client, pausing["Listener"])
        return [json.loads(line)["detail"]["number"] for line in lines]

    stopped = letters("pause", "Listener", *OF_STACK, "--yes")
    put(1)
    started = letters("resume", "Listener", *OF_STACK, "--yes")
    put(2)

    assert stopped.stdout.splitlines() == [
        (
            "Listener: Placed (rule of Bus) is disabled; "
            "events that come meanwhile are lost, also for Unused"
        ),
        "Listener is still started by News",
        f"Listener still processes what it has received; {RESUME} Listener",
    ]
    assert started.stdout == "Listener: Placed (rule of Bus) is enabled\n"
    wait_until(lambda: 2 in numbers())
    assert numbers() == [2]


def test_lambda_is_waited_for_which_makes_one_change_at_a_time(
    user: Cli, pausing: Pausing, emulator: Emulator, client: Client
) -> None:
    calls: list[str] = []
    mapping = f"/2015-03-31/event-source-mappings/{pausing['Mapping']}"

    def busy(action: str, when: str, _content: bytes) -> bool | bytes:
        if when == "after" or "event-source-mappings" not in action:
            return False
        calls.append(action.split(" ", maxsplit=1)[0])
        if calls.count("PUT") == 1 and calls[-1] == "PUT":
            return True  # it is still being created or updated
        is_under_way = calls.count("PUT") == 2 and calls[-2:] == ["PUT", "GET"]
        return json.dumps({"State": "Disabling"}).encode() if is_under_way else False

    with proxy(emulator.port, busy, "ResourceInUseException") as address:
        done = user("letters", "pause", "Worker", *OF_STACK, "--yes", AWS_ENDPOINT_URL=address)
    state = client("lambda").get_event_source_mapping(UUID=pausing["Mapping"])["State"]
    user("letters", "resume", "Worker", *OF_STACK, "--yes")

    assert done.returncode == 0, done.stderr
    assert mapping
    assert state == "Disabled"
    assert calls.count("PUT") == 2
    assert calls[-2:] == ["GET", "GET"]


def test_an_interruption_says_that_lambda_may_go_on(
    user: Cli, pausing: Pausing, emulator: Emulator, client: Client
) -> None:
    mapping = f"/2015-03-31/event-source-mappings/{pausing['Mapping']}"
    stopper = Stopper(f"after PUT {mapping}", signal.SIGINT, number_of_call=1)
    with proxy(emulator.port, stopper) as address:
        started = Cli(user.folder, user.environment).start(
            *("letters", "pause", "Worker", *OF_STACK, "--yes"), AWS_ENDPOINT_URL=address
        )
        stopper.watch(started)
        _, said = started.communicate()
    state = client("lambda").get_event_source_mapping(UUID=pausing["Mapping"])["State"]
    user("letters", "resume", "Worker", *OF_STACK, "--yes")

    says = "interrupted: AWS may go on with it; sls-patterns letters list says what is paused"
    assert (started.returncode, said) == (130, f"sls-patterns: {says}\n")
    assert state == "Disabled"


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (
            "pause",
            (
                f"Disable what starts Worker: {WORKER}: Jobs keeps what comes meanwhile, until its "
                "retention ends? [y/N] "
            ),
        ),
        ("resume", f"Enable {WORKER} of Worker? [y/N] "),
    ],
)
def test_a_terminal_asks_and_says_what_happens_meanwhile(
    command: str, question: str, user: Cli, pausing: Pausing, client: Client
) -> None:
    def talk(process: "pexpect.spawn[bytes]") -> None:
        process.expect_exact(question)
        process.sendline("n")

    asked = (*user.command, "letters", command, "Worker", *OF_STACK)
    shown = see(asked, user.folder, plain_environment(user.environment), talk=talk)

    assert shown.code == 1
    mapping = client("lambda").get_event_source_mapping(UUID=pausing["Mapping"])
    assert mapping["State"] == "Enabled"


def test_what_may_not_be_read_is_a_line_and_the_rest_is_listed(
    user: Cli, pausing: Pausing, emulator: Emulator
) -> None:
    def deny(action: str, when: str, _content: bytes) -> bool:
        return when == "before" and action.endswith(".DescribeRule")

    assert pausing
    with proxy(emulator.port, deny) as address:
        done = user("letters", "list", *OF_STACK, AWS_ENDPOINT_URL=address)

    says = "whether Placed starts Listener cannot be read: no permission: the role may not"
    assert (done.returncode, done.stderr) == (1, f"sls-patterns: {says}\n")


def test_the_policy_lets_pause_and_resume_and_nothing_more(
    letters: Letters, pausing: Pausing
) -> None:
    def grants(*verbs: str) -> set[tuple[str, str]]:
        statements = json.loads(letters("policy", *verbs, *OF_STACK).stdout)["Statement"]
        return {
            (action, resource)
            for statement in statements
            for action in statement["Action"]
            for resource in statement["Resource"]
        }

    here = "eu-west-1:000000000000"
    mapping = f"arn:aws:lambda:{here}:event-source-mapping:{pausing['Mapping']}"
    rule = f"arn:aws:events:{here}:rule/*{pausing['Placed'].rpartition('/')[2]}"
    schedule = f"arn:aws:scheduler:{here}:schedule/*/{pausing['Night']}"
    assert {
        ("lambda:GetEventSourceMapping", mapping),
        ("events:DescribeRule", rule),
        ("scheduler:GetSchedule", schedule),
    } <= grants("list")
    assert grants("pause", "resume", "list") - grants("list") == {
        ("lambda:UpdateEventSourceMapping", mapping),
        ("events:DisableRule", rule),
        ("events:EnableRule", rule),
        ("scheduler:UpdateSchedule", schedule),
        ("iam:PassRole", pausing["RoleArn"]),
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("pause", "Nothing", "--yes"),
            "Nothing is no function of pausing: Worker, Nightly, Listener, Idle0A1B2C3D.",
        ),
        (
            ("resume", "Idle", "--yes"),
            "Idle0A1B2C3D has no event source mapping, rule or schedule that its template enables.",
        ),
        (("pause", "Worker"), "Nobody can be asked here: --yes agrees."),
    ],
)
def test_what_cannot_be_paused_is_one_line(
    arguments: tuple[str, ...], says: str, letters: Letters, pausing: Pausing
) -> None:
    done = letters(*arguments, *OF_STACK)

    assert pausing
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"sls-patterns: {says}\n")
