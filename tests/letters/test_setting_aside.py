"""`set-aside` moves the head of a blocked message group away, and nothing else."""

import json
import re
import signal
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from subprocess import CompletedProcess
from typing import Any

import pytest
from command import Cli
from letters.conftest import bodies
from letters.proxy import Hook, proxy
from letters.test_interruptions import Stopper, visible
from local.support import Client, DeployStack, seen, wait_until

from sls_patterns_cli.local.emulator.server import Emulator

EVERY_STEP = [
    pytest.param(
        f"{when} {action}", marks=[] if action == "SendMessage" else pytest.mark.exhaustive
    )
    for action in ("ReceiveMessage", "SendMessage", "DeleteMessage")
    for when in ("before", "after")
]
STACK = """
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: true
      VisibilityTimeout: 60
      RedrivePolicy: {deadLetterTargetArn: !GetAtt JobsDlq.Arn, maxReceiveCount: 1000}
  JobsDlq: {Type: "AWS::SQS::Queue", Properties: {FifoQueue: true}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json, os
        def handler(event, context):
            for record in event["Records"]:
                if "poison" in record["body"] and not os.environ.get("MENDED"):
                    raise ValueError("poison")
                print("seen " + record["body"])
      Events:
        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, BatchSize: 1}}
  Loose: {Type: "AWS::SQS::Queue", Properties: {FifoQueue: true}}
  Few:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: true
      RedrivePolicy: {deadLetterTargetArn: !GetAtt FewDlq.Arn, maxReceiveCount: 2}
  FewDlq: {Type: "AWS::SQS::Queue", Properties: {FifoQueue: true}}
  Standard: {Type: "AWS::SQS::Queue"}
Outputs:
  Jobs: {Value: !Ref Jobs}
  JobsDlq: {Value: !Ref JobsDlq}
  JobsArn: {Value: !GetAtt Jobs.Arn}
  JobsDlqArn: {Value: !GetAtt JobsDlq.Arn}
  FewArn: {Value: !GetAtt Few.Arn}
  FewDlqArn: {Value: !GetAtt FewDlq.Arn}
  Few: {Value: !Ref Few}
  FewDlq: {Value: !Ref FewDlq}
  Worker: {Value: !Ref Worker}
  Mapping: {Value: !Ref WorkerJobs}
"""
OF_STACK = ("--stack", "blocked")
ALL = ["All"]
RECORD = ["source_message_id", "reason", "set_aside_by"]
TEN = {f"own{number}": "x" for number in range(10)}


@dataclass
class Blocked:
    """The deployed stack, and who is on call for it."""

    ids: dict[str, str]
    client: Client
    user: Cli
    emulator: Emulator

    @property
    def sqs(self) -> Any:
        return self.client("sqs")

    def letters(
        self, *arguments: str, hook: Hook | None = None, **environment: str
    ) -> CompletedProcess[str]:
        """Run `letters`, through a proxy if there is a hook."""
        given = nullcontext("") if hook is None else proxy(self.emulator.port, hook)
        with given as address:
            if address:
                environment["AWS_ENDPOINT_URL"] = address
            return self.user("letters", *arguments, *OF_STACK, **environment)

    def aside(
        self, queue: str, group: str, *options: str, hook: Hook | None = None
    ) -> CompletedProcess[str]:
        return self.letters("set-aside", queue, group, "--yes", *options, hook=hook)

    def killed(self, stopper: Stopper, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run `letters set-aside` until a stopper ends it; return the code and what it says."""
        with proxy(self.emulator.port, stopper) as address:
            given = {"AWS_ENDPOINT_URL": address, **environment}
            started = Cli(self.user.folder, self.user.environment).start(
                "letters", "set-aside", *arguments, "--yes", *OF_STACK, **given
            )
            stopper.watch(started)
            _, said = started.communicate()
            return started.returncode, said

    def switch(self, *, on: bool) -> None:
        """Let the consumer run, or not."""
        self.client("lambda").update_event_source_mapping(UUID=self.ids["Mapping"], Enabled=on)

    def send(self, queue: str, group: str, *texts: str, **attributes: str) -> list[str]:
        """Send messages of a group in their order; return their ids."""
        own = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        }
        return [
            self.sqs.send_message(
                QueueUrl=self.ids[queue],
                MessageBody=text,
                MessageGroupId=group,
                MessageDeduplicationId=uuid.uuid4().hex,
                MessageAttributes=own,
            )["MessageId"]
            for text in texts
        ]

    def receive(self, queue: str, seconds: int = 0) -> list[dict[str, Any]]:
        """Receive what is visible, as a consumer that fails after so many seconds."""
        found = self.sqs.receive_message(
            QueueUrl=self.ids[queue],
            MaxNumberOfMessages=10,
            VisibilityTimeout=seconds,
            MessageSystemAttributeNames=ALL,
        )
        return [*found.get("Messages", [])]

    def take(self, queue: str) -> list[dict[str, Any]]:
        """Take the messages that are in a queue, with all that SQS says of them."""
        taken: list[dict[str, Any]] = []
        asked = {"MessageAttributeNames": ALL, "MessageSystemAttributeNames": ALL}
        url = self.ids[queue]
        while found := self.sqs.receive_message(QueueUrl=url, **asked).get("Messages"):
            for each in found:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
                taken.append(each)
        return taken

    def texts(self, queue: str) -> list[str]:
        return [each["Body"] for each in self.take(queue)]


def told(letter: dict[str, Any]) -> dict[str, str]:
    return {
        name: value["StringValue"] for name, value in letter.get("MessageAttributes", {}).items()
    }


@pytest.fixture(scope="module")
def ids(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK, "blocked")


@pytest.fixture
def blocked(
    ids: dict[str, str], client: Client, user: Cli, emulator: Emulator
) -> Iterator[Blocked]:
    """The stack without its consumer; its queues are empty afterwards."""
    found = Blocked(ids, client, user, emulator)
    found.switch(on=False)
    yield found
    found.switch(on=False)
    for name in ("Jobs", "JobsDlq", "Few", "FewDlq"):
        url = ids[name]
        wait_until(lambda: not bodies(client, url) and not visible(client, url))  # noqa: B023


def test_a_blocked_group_goes_on_in_order_and_the_letter_says_why_it_is_there(
    blocked: Blocked,
) -> None:
    def processed(group: str) -> list[str]:
        return [each for each in seen(blocked.client, blocked.ids["Worker"]) if each[0] == group]

    blocked.switch(on=True)
    (poison,) = blocked.send("Jobs", "a", "a1 poison", kind="job")
    blocked.send("Jobs", "a", "a2", "a3")
    blocked.send("Jobs", "b", "b1", "b2")
    wait_until(lambda: processed("b") == ["b1", "b2"])

    blocked.letters("pause", "Worker", "--yes")
    done = blocked.aside("Jobs", "a")
    blocked.letters("resume", "Worker", "--yes")

    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[-1]
    assert line.startswith(f"Jobs, group a: {poison}, received ")
    who = blocked.client("sts").get_caller_identity()["Arn"]
    assert line.endswith(f" times, is set aside in JobsDlq by {who}")
    wait_until(lambda: processed("a") == ["a2", "a3"])
    shown = blocked.letters("show", "--end", "JobsDlq", "--payload")
    assert f"why:      set aside by an operator: {who}" in shown.stdout
    listed = blocked.letters("list", "--end", "JobsDlq")
    assert re.search(r" 1  Worker .*  set aside by an operator: ", listed.stdout)
    (letter,) = blocked.take("JobsDlq")
    assert letter["Body"] == "a1 poison"
    assert letter["Attributes"]["MessageGroupId"] == "a"
    assert letter["Attributes"]["MessageDeduplicationId"] == poison
    assert told(letter) == {
        "kind": "job",
        "source_message_id": poison,
        "reason": "set aside by an operator",
        "set_aside_by": who,
    }


@pytest.mark.parametrize("which", [("--older-than", "0s"), ("--all",)])
def test_a_letter_that_was_set_aside_goes_back_as_it_was(
    which: tuple[str, ...], blocked: Blocked
) -> None:
    blocked.send("Jobs", "back", "to come back", kind="job")
    blocked.receive("Jobs")
    blocked.aside("Jobs", "back")

    back = blocked.letters("redrive", "--end", "JobsDlq", *which, "--yes")

    assert "JobsDlq: 1 sent back" in back.stdout
    (message,) = blocked.take("Jobs")
    assert (message["Body"], told(message)) == ("to come back", {"kind": "job"})
    assert message["Attributes"]["MessageGroupId"] == "back"
    assert blocked.texts("JobsDlq") == []


def test_messages_of_other_groups_stay_and_are_received_twice_at_most(blocked: Blocked) -> None:
    others = [f"other {number}" for number in range(3)]
    for other in others:
        blocked.send("Jobs", other, other, f"{other}, behind")
    (head,) = blocked.send("Jobs", "mine", "mine")
    blocked.send("Jobs", "mine", "mine, behind")

    done = blocked.aside("Jobs", "mine", "--id", head, "--json")

    report = json.loads(done.stdout)
    assert (report["message"], report["received"]) == (head, 1)
    assert (report["others_received"], report["others_without_receives"]) == (3, 0)
    tries = {
        each["Body"]: int(each["Attributes"]["ApproximateReceiveCount"]) - 1
        for each in blocked.receive("Jobs")
    }
    assert tries == {
        **dict.fromkeys(others, 2),
        **{f"{other}, behind": 0 for other in others},
        "mine, behind": 0,
    }
    assert blocked.texts("JobsDlq") == ["mine"]


def test_messages_that_have_no_receive_left_are_counted(blocked: Blocked) -> None:
    blocked.send("Few", "other", "other")
    (head,) = blocked.send("Few", "mine", "mine")

    done = blocked.aside("Few", "mine", "--id", head)

    others = "  1 of other groups were received once or twice, and given back"
    assert done.stdout.splitlines()[-1] == f"{others}; 1 have no receive left"


def test_a_head_that_its_consumer_has_is_waited_for_and_nothing_behind_it_is_taken(
    blocked: Blocked,
) -> None:
    (head,) = blocked.send("Jobs", "busy", "busy")
    (held,) = blocked.receive("Jobs", 43_200)
    blocked.send("Jobs", "busy", "behind")
    given_back: list[str] = []

    def give_back(action: str, when: str, _content: bytes) -> bool:
        if action.endswith(".ReceiveMessage") and when == "after" and not given_back:
            given_back.append(held["ReceiptHandle"])
            blocked.sqs.change_message_visibility(
                QueueUrl=blocked.ids["Jobs"],
                ReceiptHandle=held["ReceiptHandle"],
                VisibilityTimeout=0,
            )
        return False

    in_vain = blocked.aside("Jobs", "busy", "--wait", "1")
    done = blocked.aside("Jobs", "busy", hook=give_back)

    says = "Jobs, group busy: nothing was visible within 1 s, and nothing is set aside"
    assert (in_vain.returncode, in_vain.stderr) == (1, f"sls-patterns: {says}\n")
    assert in_vain.stdout.startswith("Jobs, group busy: nothing is visible yet; ")
    assert done.returncode == 0, done.stderr
    assert f"Jobs, group busy: {head}, received 2 times, " in done.stdout
    assert blocked.texts("JobsDlq") == ["busy"]
    assert blocked.texts("Jobs") == ["behind"]


def test_a_consumer_that_runs_is_named(blocked: Blocked) -> None:
    blocked.switch(on=True)

    done = blocked.aside("Jobs", "none", "--wait", "0")

    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == (
        "Jobs: Worker consumes it, and may receive the head first; "
        "sls-patterns letters pause Worker prevents that"
    )


def test_what_nobody_has_tried_or_is_not_meant_is_given_back(blocked: Blocked) -> None:
    (head,) = blocked.send("Jobs", "new", "new")

    untried = blocked.aside("Jobs", "new")
    other = blocked.aside("Jobs", "new", "--id", "another")

    name = "sls-patterns: Jobs, group new"
    says = f"nobody has tried its head, and nothing is set aside; --id {head} does it"
    assert (untried.returncode, untried.stderr) == (1, f"{name}: {says}\n")
    says = f"its head is {head}, and nothing is set aside"
    assert (other.returncode, other.stderr) == (1, f"{name}: {says}\n")
    assert blocked.texts("Jobs") == ["new"]
    assert blocked.texts("JobsDlq") == []


@pytest.mark.parametrize(
    ("size", "own", "unrecorded"),
    [
        (10, TEN, RECORD),
        (10, dict([*TEN.items()][:8]), RECORD[2:]),
        (2**20, {}, RECORD),
        (2**20 - 80, {}, RECORD[1:]),
        (10, {"reason": "the message's own"}, RECORD),
    ],
)
def test_a_full_message_is_set_aside_whole_and_the_output_has_the_record(
    size: int, own: dict[str, str], unrecorded: list[str], blocked: Blocked
) -> None:
    body = "x" * size
    (head,) = blocked.send("Jobs", "full", body, **own)
    blocked.receive("Jobs")

    done = blocked.aside("Jobs", "full")

    assert done.returncode == 0, done.stderr
    keep = f"; the letter has no place for {', '.join(unrecorded)}: keep this line"
    assert done.stdout.splitlines()[-1].endswith(keep)
    (letter,) = blocked.take("JobsDlq")
    assert letter["Body"] == body
    assert letter["Attributes"]["MessageDeduplicationId"] == head
    assert own.items() <= told(letter).items()
    assert told(letter).keys() == own.keys() | {*RECORD} - {*unrecorded}


@pytest.mark.parametrize("step", EVERY_STEP)
def test_a_command_that_is_killed_loses_nothing_and_a_second_one_doubles_nothing(
    step: str, blocked: Blocked
) -> None:
    (head,) = blocked.send("Jobs", "killed", "the head")
    blocked.send("Jobs", "killed", "behind")
    blocked.receive("Jobs")
    command = ("Jobs", "killed", "--id", head)

    # What is held is shown again after 1.5 s then, as on AWS after a minute.
    code, _ = blocked.killed(
        Stopper(step, signal.SIGKILL, number_of_call=1), *command, LOCAL_TIME_FACTOR="1"
    )
    again = blocked.aside(*command)

    assert code == -signal.SIGKILL
    is_deleted = "DeleteMessage" in step  # the proxy passes it on, too
    assert again.returncode == (1 if is_deleted else 0), again.stderr
    assert blocked.texts("JobsDlq") == ["the head"]
    assert blocked.texts("Jobs") == ["behind"]


def test_an_interruption_sets_nothing_aside_and_shows_everything_again(blocked: Blocked) -> None:
    blocked.send("Jobs", "other", "other")

    stopper = Stopper("after ReceiveMessage", signal.SIGINT, number_of_call=3)
    code, said = blocked.killed(stopper, "Jobs", "none")

    says = "interrupted: nothing is set aside; what is held is shown again in 60 s at most"
    assert (code, said) == (130, f"sls-patterns: {says}\n")
    (other,) = blocked.receive("Jobs")
    assert other["Attributes"]["ApproximateReceiveCount"] == "3"


@pytest.mark.parametrize(
    ("action", "code", "says"),
    [
        ("SendMessage", 2, "JobsDlq: no permission: the role may not"),
        (
            "DeleteMessage",
            1,
            (
                "Jobs, group denied: {id} is in JobsDlq, and still in Jobs (no permission: the "
                "role may not); set it aside again within 5 minutes, and SQS keeps one letter"
            ),
        ),
    ],
)
def test_what_is_refused_loses_nothing_and_says_where_the_message_is(
    action: str, code: int, says: str, blocked: Blocked
) -> None:
    (head,) = blocked.send("Jobs", "denied", action)
    blocked.receive("Jobs")

    def refuse(asked: str, when: str, _content: bytes) -> bool:
        return when == "before" and asked.endswith(f".{action}")

    done = blocked.aside("Jobs", "denied", hook=refuse)
    again = blocked.aside("Jobs", "denied")

    assert (done.returncode, done.stderr) == (code, f"sls-patterns: {says.format(id=head)}\n")
    assert again.returncode == 0, again.stderr
    assert blocked.texts("JobsDlq") == [action]
    assert blocked.texts("Jobs") == []


def test_a_lost_connection_is_one_line(blocked: Blocked) -> None:
    def break_off(action: str, _when: str, _content: bytes) -> bool:
        if action.endswith(".ReceiveMessage"):
            raise ConnectionAbortedError
        return False

    done = blocked.aside("Jobs", "none", hook=break_off)

    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("sls-patterns: Jobs: Connection was closed before we received")


def test_the_policy_lets_set_aside_and_nothing_more(blocked: Blocked) -> None:
    def grants(*verbs: str) -> set[tuple[str, str]]:
        statements = json.loads(blocked.letters("policy", *verbs).stdout)["Statement"]
        return {
            (action, resource)
            for statement in statements
            for action in statement["Action"]
            for resource in statement["Resource"]
        }

    allowed = {
        "Jobs": ("ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage"),
        "JobsDlq": ("SendMessage", "GetQueueUrl"),
    }
    assert grants("list", "set-aside") - grants("list") == {
        (f"sqs:{action}", blocked.ids[f"{name.replace('Jobs', queue)}Arn"])
        for queue in ("Jobs", "Few")
        for name, actions in allowed.items()
        for action in actions
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("Nothing", "a", "--yes"),
            "Nothing is no queue of blocked: Jobs, JobsDlq, Loose, Few, FewDlq, Standard.",
        ),
        (
            ("Standard", "a", "--yes"),
            "Standard is a standard queue: it has no groups that can be blocked.",
        ),
        (("Loose", "a", "--yes"), "Loose has no dead-letter queue."),
        (("Jobs", "a", "--yes", "--wait", "-1"), "--wait -1 is less than 0 seconds."),
        (("Jobs", "a"), "Nobody can be asked here: --yes agrees."),
    ],
)
def test_what_cannot_be_set_aside_is_one_line(
    arguments: tuple[str, ...], says: str, blocked: Blocked
) -> None:
    done = blocked.letters("set-aside", *arguments)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"sls-patterns: {says}\n")
