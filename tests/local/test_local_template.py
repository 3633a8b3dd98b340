"""From a project to what is deployed: reading, assembling, scaling time, failing clearly."""

import copy
from pathlib import Path
from typing import Any

import pytest
from local.support import DeployStack, Unbuilt, unbuilt, write

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import flavours, languages, project
from sls_patterns_cli.local.assembly import CODE_BUCKET, Assembly
from sls_patterns_cli.local.emulator import timescale
from sls_patterns_cli.local.languages.code import Code
from sls_patterns_cli.terminal.progress import Progress

ANSWERS = """
pattern: scalable-webhook
project_name: hooks
runtime: python
runtime_version: python3.13
topology: function
iac: {iac}
datastore: dynamodb
region: eu-west-1
"""


def assemble(folder: Path) -> Assembly:
    loaded = project.load(folder)
    return flavours.of(loaded, Unbuilt(languages.of(loaded, Progress()))).assemble()


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sls-patterns: it has no \.copier-answers"):
        project.load(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        project.load(tmp_path / "nowhere")


def test_an_answer_that_is_missing_is_named(tmp_path: Path) -> None:
    write(tmp_path, {".copier-answers.yml": "pattern: scalable-webhook\n"})
    with pytest.raises(UserError, match="does not say project_name"):
        project.load(tmp_path)


def test_a_project_knows_its_lambda_runtime(tmp_path: Path) -> None:
    write(tmp_path, {".copier-answers.yml": ANSWERS.format(iac="sam")})
    assert project.load(tmp_path).lambda_runtime == "python3.13"


def test_code_is_packaged_once_however_many_functions_use_it(tmp_path: Path) -> None:
    function = "Type: AWS::Serverless::Function, Properties: {Handler: a.b}"
    write(
        tmp_path,
        {
            ".copier-answers.yml": ANSWERS.format(iac="sam"),
            "template.yaml": "Transform: AWS::Serverless-2016-10-31\n"
            "Globals: {Function: {CodeUri: src/, Runtime: python3.13}}\n"
            f"Resources: {{One: {{{function}}}, Two: {{{function}}}}}\n",
            "src/a.py": "",
        },
    )
    assembly = assemble(tmp_path)
    ((key, package),) = assembly.packages.items()
    assert package == unbuilt(Code(tmp_path / "src"))
    for name in ("One", "Two"):
        code = assembly.template["Resources"][name]["Properties"]["Code"]
        assert code == {"S3Bucket": CODE_BUCKET, "S3Key": key}


def test_a_function_that_esbuild_builds_is_packaged_by_itself(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".copier-answers.yml": ANSWERS.format(iac="sam"),
            "template.yaml": "Transform: AWS::Serverless-2016-10-31\n"
            "Globals: {Function: {CodeUri: src/, Runtime: python3.13}}\n"
            "Resources:\n"
            "  One:\n"
            "    Type: AWS::Serverless::Function\n"
            "    Metadata: {BuildMethod: esbuild, BuildProperties: {EntryPoints: [one.ts]}}\n"
            "    Properties: {Handler: one.handler}\n",
            "src/one.ts": "",
        },
    )
    (package,) = assemble(tmp_path).packages.values()
    assert package == unbuilt(Code(tmp_path / "src", {"EntryPoints": ["one.ts"]}))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no template.yaml"),
        ({"template.yaml": "a: [b"}, "is not valid YAML"),
        ({"template.yaml": "a: b"}, "has no Resources"),
        (
            {
                "template.yaml": "Transform: AWS::Serverless-2016-10-31\n"
                "Resources: {F: {Type: 'AWS::Serverless::Function',"
                " Properties: {CodeUri: gone/}}}"
            },
            "the code folder gone/, which does not exist",
        ),
        (
            {
                "template.yaml": "Transform: AWS::Serverless-2016-10-31\n"
                "Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {InlineCode: x}}}"
            },
            "is not valid SAM",
        ),
        ({"template.yaml": "Resources:"}, "has no Resources"),
        ({"template.yaml": "Resources: [Queue]"}, "Resources must map names to resources"),
        ({"template.yaml": "Resources: {Q: {Typ: x}}"}, "the resource Q has no Type"),
        ({"template.yaml": "Resources: {Q: }"}, "the resource Q has no Type"),
        (
            {"template.yaml": "Resources: {Q: {Type: x, Properties: }}"},
            "Properties of the resource Q must map names to values",
        ),
        (
            {"template.yaml": "Globals: {Function: }\nResources: {Q: {Type: x}}"},
            "Globals must map kinds of resources to properties",
        ),
        ({"template.yaml": "Resources: {Q: {Type: !!int x}}"}, "is not valid YAML: invalid"),
        (
            {
                "template.yaml": "Resources: {F: {Type: 'AWS::Serverless::Function',"
                " Properties: {CodeUri: ../}}}"
            },
            "the code folder ../, outside the project",
        ),
        (
            {
                "template.yaml": "Resources: {M: {Type: 'AWS::Serverless::StateMachine',"
                " Properties: {DefinitionUri: gone.json}}}"
            },
            "gone.json: No such file or directory",
        ),
    ],
)
def test_a_bad_template_is_one_clear_line(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    write(tmp_path, {".copier-answers.yml": ANSWERS.format(iac="sam"), **files})
    with pytest.raises(UserError, match=message) as refused:
        assemble(tmp_path)
    assert "\n" not in refused.value.message


def test_other_infrastructure_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, {".copier-answers.yml": ANSWERS.format(iac="terraform")})
    with pytest.raises(UserError, match="'terraform'"):
        assemble(tmp_path)


def test_waits_are_reported_and_the_template_keeps_them() -> None:
    rate = {"ScheduleExpression": "rate(2 hours)"}
    template: dict[str, Any] = {
        "Resources": {
            "Long": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 360}},
            "Default": {"Type": "AWS::SQS::Queue"},
            "Chosen": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"VisibilityTimeout": {"Ref": "Seconds"}},
            },
            "Late": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"VisibilityTimeout": 60, "DelaySeconds": 12},
            },
            "Stubborn": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"VisibilityTimeout": 150, "RedrivePolicy": {"maxReceiveCount": 30}},
            },
            "Hourly": {"Type": "AWS::Scheduler::Schedule", "Properties": rate},
            "Nightly": {
                "Type": "AWS::Scheduler::Schedule",
                "Properties": {"ScheduleExpression": "cron(0 3 * * ? *)"},
            },
            **{
                f"MappingOf{queue}": {
                    "Type": "AWS::Lambda::EventSourceMapping",
                    "Properties": {"EventSourceArn": {"Fn::GetAtt": [queue, "Arn"]}},
                }
                for queue in ("Late", "Stubborn")
            },
            "Table": {"Type": "AWS::DynamoDB::Table"},
        }
    }
    before = copy.deepcopy(template)

    assert timescale.changes(template, timescale.Scale()) == [
        "Long visibility 360 s -> 1.5 s",
        "Default visibility 30 s -> 1.5 s",
        "Late visibility 60 s -> 0.25 s",
        "Late delay 12 s -> 0.05 s",
        "Stubborn visibility 150 s -> 0.05 s",
        "Hourly every 7200 s -> 30 s",
    ]
    assert template == before


def test_a_failed_deploy_names_every_resource_that_failed(deploy_stack: DeployStack) -> None:
    with pytest.raises(UserError) as failed:
        deploy_stack("""
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {RedrivePolicy: {deadLetterTargetArn: nonsense, maxReceiveCount: 0}}
""")
    assert failed.value.exit_code == 1
    assert "Queue (AWS::SQS::Queue): " in failed.value.message
    assert "\n" not in failed.value.message


def test_a_template_that_is_refused_is_one_message(deploy_stack: DeployStack) -> None:
    with pytest.raises(UserError, match=r"was refused: .*AWS::No::Thing"):
        deploy_stack("""
Resources: {Thing: {Type: "AWS::No::Thing"}}
""")


def test_deploying_the_same_again_changes_nothing(deploy_stack: DeployStack) -> None:
    body = """
Resources: {Queue: {Type: "AWS::SQS::Queue"}}
Outputs: {Queue: {Value: !Ref Queue}}
"""
    assert deploy_stack(body, "twice") == deploy_stack(body, "twice")
