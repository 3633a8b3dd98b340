"""`sls-patterns check` as users run it: what it prints, and its exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from command import Cli, without_extras

QUEUE = """\
Resources:
  Orders:
    Type: AWS::SQS::Queue
  Worker:
    Type: AWS::Lambda::Function
    Properties:
      Role: arn:aws:iam::123456789012:role/worker
  Poll:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Orders.Arn
      FunctionName: !Ref Worker
      FunctionResponseTypes: [ReportBatchItemFailures]
"""
MENDED = """\
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Failed.Arn, maxReceiveCount: 5}
  Failed:
    Type: AWS::SQS::Queue
    Properties:
      MessageRetentionPeriod: 1209600
"""
ALARMED = """\
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/SQS
      MetricName: ApproximateNumberOfMessagesVisible
      Dimensions: [{Name: QueueName, Value: !GetAtt Failed.QueueName}]
      AlarmActions: [arn:aws:sns:eu-west-1:123456789012:alarms]
"""
WITH_AN_END = QUEUE.replace("Queue\n", f"Queue\n{MENDED}", 1)


def checked(cli: Cli, *paths: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(cli("check", *paths, "--json").stdout)
    return answer


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def test_a_person_reads_edges_then_what_is_wrong_and_how_to_mend_it(cli: Cli) -> None:
    write(cli.folder, template=QUEUE)

    done = cli("check", "template.yaml")

    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.splitlines()[:8] == [
        "",
        "template.yaml",
        "  Orders => Worker  sqs  ends nowhere",
        "",
        "template.yaml:2: error SP101 Orders",
        "  A message that Worker cannot process is tried again until it expires, and is then lost.",
        "  Add a dead-letter queue and name it in Orders:",
        "    OrdersDeadLetters:",
    ]
    assert done.stdout.endswith(
        "\n1 template, 1 edge, 1 without an end: 1 error, 0 warnings, 1 note.\n"
    )


def test_long_names_leave_the_end_of_an_edge_readable(cli: Cli) -> None:
    queue, function = "QueueOf" + "Orders" * 6, "WorkerOf" + "Orders" * 6
    write(cli.folder, template=QUEUE.replace("Orders", queue).replace("Worker", function))

    lines = cli("check", "template.yaml").stdout.splitlines()

    assert lines[2:4] == [f"  {queue} => {function}", "    sqs, ends nowhere"]


def test_the_lines_that_it_says_to_add_mend_the_template(cli: Cli) -> None:
    write(cli.folder, template=QUEUE)
    (finding,) = (f for f in checked(cli, "template.yaml")["findings"] if f["rule"] == "SP101")
    _, *lines = finding["mend"].splitlines()
    start = lines.index("Orders:")
    queue = "".join(f"  {line}\n" for line in lines[:start])
    policy = "".join(f"  {line}\n" for line in lines[start + 1 :])

    mended = QUEUE.replace(
        "  Orders:\n    Type: AWS::SQS::Queue\n",
        f"{queue}  Orders:\n    Type: AWS::SQS::Queue\n{policy}",
    )
    write(cli.folder, template=mended)

    assert [edge["end"] for edge in checked(cli, "template.yaml")["edges"]] == ["OrdersDeadLetters"]


def test_a_program_reads_the_same_keys_always(cli: Cli) -> None:
    write(cli.folder, template=WITH_AN_END)

    answer = checked(cli, "template.yaml")

    assert answer["edges"] == [
        {
            "source": "Orders",
            "target": "Worker",
            "mechanism": "sqs",
            "declared_by": "Poll",
            "end": "Failed",
            "alarmed": False,
            "back": "redrive",
        }
    ]
    keys = {"rule", "severity", "file", "line", "resource", "message", "mend", "url"}
    assert {frozenset(finding) for finding in answer["findings"]} == {frozenset(keys)}
    assert answer["unread"] == []


@pytest.mark.parametrize(
    ("template", "strictly", "code"),
    [
        pytest.param(QUEUE, False, 1, id="an error"),
        pytest.param(WITH_AN_END, False, 0, id="a warning"),
        pytest.param(WITH_AN_END, True, 1, id="a warning, strictly"),
        pytest.param(WITH_AN_END + ALARMED, True, 0, id="notes, strictly"),
    ],
)
def test_the_exit_code_says_what_was_found(
    cli: Cli, template: str, code: int, *, strictly: bool
) -> None:
    write(cli.folder, template=template)

    done = cli("check", "template.yaml", *(["--strict"] if strictly else []))

    assert done.returncode == code, done.stdout


def test_several_templates_are_checked_at_once(cli: Cli) -> None:
    write(cli.folder, one=QUEUE, other=WITH_AN_END)

    assert len(checked(cli, "one.yaml", "other.yaml")["edges"]) == 2


def test_a_folder_is_checked_without_what_others_wrote(cli: Cli) -> None:
    write(cli.folder, template=QUEUE, compose="services: {}\n")
    for name in ("node_modules", ".aws-sam", "build"):
        (cli.folder / name).mkdir()
        write(cli.folder / name, template=QUEUE)

    assert len(checked(cli)["edges"]) == 1


def test_a_rule_is_explained_by_its_page(cli: Cli) -> None:
    done = cli("check", "--explain", "SP101")

    assert done.returncode == 0
    assert done.stdout.startswith("# SP101: ")
    assert "## Broken" in done.stdout


def test_stacks_of_an_app_that_import_from_one_another_are_one(cli: Cli) -> None:
    """CDK exports what another of its stacks needs."""
    queue = {
        "Resources": {
            "Orders": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "RedrivePolicy": {
                        "deadLetterTargetArn": {"Fn::GetAtt": ["Failed", "Arn"]},
                        "maxReceiveCount": 5,
                    }
                },
            },
            "Failed": {"Type": "AWS::SQS::Queue"},
        },
        "Outputs": {
            "Orders": {
                "Value": {"Fn::GetAtt": ["Orders", "Arn"]},
                "Export": {"Name": "Data:Orders"},
            }
        },
    }
    worker = {
        "Resources": {
            "Worker": {"Type": "AWS::Lambda::Function", "Properties": {}},
            "Failed": {"Type": "AWS::SNS::Topic"},
            "Poll": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": {"Fn::ImportValue": "Data:Orders"},
                    "FunctionName": {"Ref": "Worker"},
                },
            },
        }
    }
    manifest = {
        "artifacts": {
            name: {
                "type": "aws:cloudformation:stack",
                "properties": {"templateFile": f"{name}.json"},
            }
            for name in ("Data", "Code")
        }
    }
    for name, content in (("manifest", manifest), ("Data", queue), ("Code", worker)):
        (cli.folder / f"{name}.json").write_text(json.dumps(content, indent=1))

    answer = checked(cli, ".")

    (edge,) = answer["edges"]
    assert (edge["source"], edge["target"], edge["end"]) == ("Orders", "Worker", "Failed")
    (unalarmed,) = (each for each in answer["findings"] if each["rule"] == "SP301")
    assert unalarmed["file"] == "Data.json"


def test_what_a_condition_takes_away_is_missing(cli: Cli) -> None:
    parameter = "Parameters: {Stage: {Type: String, Default: prod}}\n"
    condition = "Conditions: {IsProd: !Equals [!Ref Stage, prod]}\n"
    sometimes = WITH_AN_END.replace(
        "RedrivePolicy: {deadLetterTargetArn: !GetAtt Failed.Arn, maxReceiveCount: 5}",
        "RedrivePolicy: "
        "!If [IsProd, {deadLetterTargetArn: !GetAtt Failed.Arn, maxReceiveCount: 5}, "
        "!Ref AWS::NoValue]",
    )
    write(cli.folder, template=parameter + condition + sometimes)

    answer = checked(cli, "template.yaml")

    assert [edge["end"] for edge in answer["edges"]] == [None]
    (finding,) = (each for each in answer["findings"] if each["rule"] == "SP101")
    assert finding["message"].endswith("This is so if Stage is '(another value)'.")


def test_only_a_template_of_sam_needs_the_extra(cli: Cli, tmp_path: Path) -> None:
    environment = without_extras(tmp_path)
    sam = "Transform: AWS::Serverless-2016-10-31\n"
    write(cli.folder, plain=WITH_AN_END + ALARMED, sam=sam + WITH_AN_END)

    assert cli("check", "plain.yaml", **environment).returncode == 0
    refused = cli("check", "sam.yaml", **environment)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "sls-patterns: check needs samtranslator: install sls-patterns-cli with its extra [check]\n"
    )
