"""What is no template, or tries to be too much of one: one line, or a result, in bounded time."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import Cli

from sls_patterns_cli.cloudformation.document import DEEPEST, LARGEST, MOST_VALUES, document
from sls_patterns_cli.cloudformation.language import MOST_INCLUDES, MOST_ROUNDS
from sls_patterns_cli.errors import UserError

QUEUE = "Resources: {Orders: {Type: 'AWS::SQS::Queue'}}\n"

SECONDS, MEGABYTES = 10, 500
"""Of processor time and of data, whatever the input is."""


def bomb(levels: int) -> str:
    """Ten values, each level ten times the one before."""
    first = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]"
    others = (
        f"x{level}: &x{level} [{', '.join([f'*x{level - 1}'] * 10)}]" for level in range(1, levels)
    )
    return QUEUE + "\n".join([first, *others])


def circle(folder: Path) -> Path:
    for name, other in (("a", "b"), ("b", "a")):
        stack = {
            "Type": "AWS::CloudFormation::Stack",
            "Properties": {"TemplateURL": f"{other}.json"},
        }
        (folder / f"{name}.json").write_text(json.dumps({"Resources": {"Inner": stack}}))
    return folder / "a.json"


def loops(depth: int) -> str:
    """Loops of a hundred rounds, one in the other."""
    body: Any = {"Q${A0}": {"Type": "AWS::SQS::Queue"}}
    for level in range(depth):
        values = [str(number) for number in range(100)]
        body = {f"Fn::ForEach::L{level}": [f"A{level}", values, body]}
    return json.dumps({"Resources": body})


BAD = {
    "missing": ("", "does not exist"),
    "empty": ("\n", "it has no Resources"),
    "no-template": ("a: 1", "it has no Resources"),
    "broken": ("Resources: [", "is not valid YAML"),
    "itself": ("Resources: &r {A: {Type: t, Properties: *r}}", "has a value that contains itself"),
    "bomb": (bomb(12), f"has more than {MOST_VALUES:,} values"),
    "large": (QUEUE + "#" * 50_000_000, "has more than 5 MB, which is not read"),
    "deep-json": ('{"a":' * 100_000, f"is nested more than {DEEPEST} levels deep"),
    "deep-yaml": ("a: " + "[" * 100_000, "is not valid YAML"),
    "conditions": (
        QUEUE + "Conditions: {A: {Condition: B}, B: {'Fn::Not': [{Condition: A}]}}",
        "refers to itself",
    ),
    "loops": (loops(3), f"its loops make more than {MOST_ROUNDS:,} rounds"),
    "binary": ("\x00\x01\x02", "is not valid YAML"),
}


def limited(cli: Cli, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command with no more time and memory than is promised."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_DATA, (MEGABYTES * 2**20, MEGABYTES * 2**20))

    return subprocess.run(
        [sys.executable, "-m", "sls_patterns_cli", *arguments],
        cwd=cli.folder,
        env=cli.environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_one_line(cli: Cli, name: str) -> None:
    text, problem = BAD[name]
    if text:
        (cli.folder / f"{name}.yaml").write_text(text)

    done = limited(cli, "check", f"{name}.yaml")

    assert done.returncode == 2
    assert done.stdout == ""
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def test_stacks_nested_in_a_circle_are_one_line(cli: Cli) -> None:
    done = limited(cli, "check", circle(cli.folder))

    assert done.returncode == 2
    assert done.stderr.endswith("stacks are nested in a circle: a.json in b.json in a.json.\n")


def test_a_nested_stack_that_is_no_template_is_one_line(cli: Cli) -> None:
    stack = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "list.json"}}
    (cli.folder / "list.json").write_text("[1, 2]")
    (cli.folder / "template.json").write_text(json.dumps({"Resources": {"Inner": stack}}))

    done = limited(cli, "check", "template.json")

    assert (done.returncode, done.stderr) == (2, "sls-patterns: list.json: it has no Resources.\n")


def test_a_file_without_an_end_is_one_line(cli: Cli) -> None:
    done = limited(cli, "check", "/dev/zero")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "sls-patterns: /dev/zero has more than 5 MB, which is not read.\n"


def test_a_file_of_random_bytes_is_one_line(cli: Cli) -> None:
    (cli.folder / "template.yaml").write_bytes(bytes(range(256)) * 20)

    done = limited(cli, "check", "template.yaml")

    assert (done.returncode, done.stderr) == (2, "sls-patterns: template.yaml is not text.\n")


def test_unknown_rules_and_two_formats_are_refused(cli: Cli) -> None:
    assert "SP999" in cli("check", "--explain", "SP999").stderr
    assert cli("check", "--explain", "SP999").returncode == 2
    assert cli("check", "--json", "--sarif").returncode == 2


def test_a_folder_that_cannot_be_read_in_part_says_which(cli: Cli) -> None:
    (cli.folder / "good.yaml").write_text(QUEUE)
    (cli.folder / "bad.yaml").write_text("Resources: AWS::")

    done = limited(cli, "check", ".", "--json")

    assert done.returncode == 0
    (unread,) = json.loads(done.stdout)["unread"]
    assert unread.startswith("bad.yaml: ")


def conditional(queues: int, conditions: int) -> dict[str, Any]:
    """A template with so many queues, each with function, mapping and a dead-letter queue."""
    resources: dict[str, Any] = {}
    for number in range(queues):
        policy = {
            "deadLetterTargetArn": {"Fn::GetAtt": [f"Failed{number}", "Arn"]},
            "maxReceiveCount": 5,
        }
        condition = f"Is{number % conditions}"
        resources |= {
            f"Orders{number}": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "RedrivePolicy": {"Fn::If": [condition, policy, {"Ref": "AWS::NoValue"}]}
                },
            },
            f"Failed{number}": {"Type": "AWS::SQS::Queue", "Condition": condition},
            f"Worker{number}": {"Type": "AWS::Lambda::Function", "Properties": {}},
            f"Poll{number}": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Condition": f"Is{(number + queues) % conditions}",
                "Properties": {
                    "EventSourceArn": {"Fn::GetAtt": [f"Orders{number}", "Arn"]},
                    "FunctionName": {"Ref": f"Worker{number}"},
                },
            },
        }
    return {
        "Parameters": {f"P{n}": {"Type": "String", "Default": ""} for n in range(conditions)},
        "Conditions": {f"Is{n}": {"Fn::Equals": [{"Ref": f"P{n}"}, ""]} for n in range(conditions)},
        "Resources": resources,
    }


def test_five_hundred_resources_and_two_hundred_conditions_are_checked(cli: Cli) -> None:
    (cli.folder / "large.json").write_text(json.dumps(conditional(125, 200)))

    done = limited(cli, "check", "large.json", "--json")

    answer = json.loads(done.stdout)
    assert len(answer["edges"]) == 125
    assert answer["unread"] == ["large.json: not every combination of its conditions was tried"]


def test_few_conditions_are_tried_in_every_combination(cli: Cli) -> None:
    (cli.folder / "small.json").write_text(json.dumps(conditional(3, 3)))

    assert json.loads(limited(cli, "check", "small.json", "--json").stdout)["unread"] == []


def nested(levels: float) -> Any:
    value: Any = 0
    for _ in range(int(levels)):
        value = [value]
    return value


@pytest.mark.parametrize("share", [0.9, 1.1])
@pytest.mark.parametrize("limit", ["size", "values", "levels", "levels of JSON"])
def test_a_document_is_read_below_a_limit_and_refused_above(
    tmp_path: Path, limit: str, share: float
) -> None:
    file = tmp_path / "template.yaml"
    texts = {
        "size": lambda: QUEUE + "#" * int(LARGEST * share),
        "values": lambda: (
            f"{QUEUE}a: &a [{', '.join('0' * 1000)}]\n"
            f"b: [{', '.join(['*a'] * int(MOST_VALUES / 1001 * share))}]\n"
        ),
        "levels of JSON": lambda: json.dumps(
            {"Resources": {"Orders": {"Type": "AWS::SQS::Queue"}}, "a": nested(DEEPEST * share)}
        ),
        "levels": lambda: f"{QUEUE}a: {'[' * int(DEEPEST * share)}{']' * int(DEEPEST * share)}\n",
    }
    file.write_text(texts[limit]())

    if share < 1:
        assert document(file).content["Resources"] == {"Orders": {"Type": "AWS::SQS::Queue"}}
    else:
        with pytest.raises(UserError):
            document(file)


@pytest.mark.parametrize(("share", "code"), [(0.9, 0), (1.1, 2)])
def test_loops_are_spelt_out_up_to_a_limit(cli: Cli, share: float, code: int) -> None:
    rounds = [str(number) for number in range(int(MOST_ROUNDS * share))]
    loop = ["Name", rounds, {"Q${Name}": {"Type": "AWS::SQS::Queue"}}]
    (cli.folder / "template.json").write_text(
        json.dumps({"Resources": {"Fn::ForEach::Queues": loop}})
    )

    done = limited(cli, "check", "template.json")

    assert done.returncode == code, done.stderr


@pytest.mark.parametrize(("share", "code"), [(0.9, 0), (1.1, 2)])
def test_includes_are_followed_up_to_a_limit(cli: Cli, share: float, code: int) -> None:
    number = int(MOST_INCLUDES * share)
    for each in range(number):
        inner = (
            f"Fn::Transform: {{Name: 'AWS::Include', Parameters: {{Location: {each + 1}.yaml}}}}"
        )
        (cli.folder / f"{each}.yaml").write_text(f"A{each}: {{Type: 'AWS::SQS::Queue'}}\n{inner}\n")
    (cli.folder / f"{number}.yaml").write_text("Last: {Type: 'AWS::SQS::Queue'}\n")
    include = "Fn::Transform: {Name: 'AWS::Include', Parameters: {Location: 1.yaml}}"
    (cli.folder / "template.yaml").write_text(
        f"Resources:\n  {include}\n  A: {{Type: 'AWS::SQS::Queue'}}\n"
    )

    done = limited(cli, "check", "template.yaml")

    assert done.returncode == code, done.stderr
