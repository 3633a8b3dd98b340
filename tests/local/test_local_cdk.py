"""From a CDK app to what is deployed: the program stands for one, and writes what CDK writes."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from local.support import Unbuilt, unbuilt, write

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import project
from sls_patterns_cli.local.assembly import CODE_BUCKET, Assembly
from sls_patterns_cli.local.flavours import cdk
from sls_patterns_cli.local.languages import Language, interpreters, modules
from sls_patterns_cli.local.languages.code import Code
from sls_patterns_cli.local.languages.python import Python
from sls_patterns_cli.local.languages.typescript import TypeScript
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.terminal.progress import Progress

ANSWERS = """
pattern: scalable-webhook
project_name: hooks
runtime: python
runtime_version: python3.13
iac: cdk
region: eu-west-1
"""
BUCKET = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"
STACK = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "Stack.template.json"}}
ASSETS = {"type": "cdk:asset-manifest", "properties": {"file": "Stack.assets.json"}}
TEMPLATE = {
    "Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>"}, "Own": {}},
    "Rules": {"CheckBootstrapVersion": {}},
    "Resources": {
        "One": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Code": {"S3Bucket": {"Fn::Sub": BUCKET}, "S3Key": "abc.zip"}},
        },
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "DefinitionS3Location": {"Bucket": {"Fn::Sub": BUCKET}, "Key": "m.json"}
            },
        },
    },
}
DEFINITION = {"StartAt": "Only", "States": {"Only": {"Type": "Succeed"}}}

# What CDK writes where it is told to, and what it was told.
APP = """
import json, os, pathlib
output = pathlib.Path(os.environ["CDK_OUTDIR"])
output.mkdir(parents=True, exist_ok=True)
for name, content in json.loads(pathlib.Path("written.json").read_text()).items():
    (output / name).write_text(json.dumps(content))
pathlib.Path("told.json").write_text(os.environ["CDK_CONTEXT_JSON"])
"""


def asset(path: str, packaging: str, key: str) -> dict[str, object]:
    return {
        "source": {"path": path, "packaging": packaging},
        "destinations": {"here": {"bucketName": BUCKET, "objectKey": key}},
    }


def written(**artifacts: object) -> str:
    files = {
        "code": asset("../../src", "zip", "abc.zip"),
        "t": asset("t.json", "file", "t.json"),
        "machine": asset("asset.json", "file", "m.json"),
    }
    return json.dumps(
        {
            "manifest.json": {"artifacts": artifacts},
            "Stack.template.json": TEMPLATE,
            "Stack.assets.json": {"files": files},
            "asset.json": DEFINITION,
        }
    )


class Installed:
    """A language with nothing to install for the program, which is no more than ours."""

    def program_environment(self) -> Mapping[str, str]:
        return os.environ


class InstalledPython(Installed, Python):
    pass


class InstalledTypeScript(Installed, TypeScript):
    pass


def assemble(
    folder: Path, language: Callable[[Project, Progress], Language] = InstalledPython
) -> Assembly:
    loaded = project.load(folder)
    return cdk.Cdk(loaded, Unbuilt(language(loaded, Progress()))).assemble()


@pytest.fixture
def app(tmp_path: Path) -> Path:
    settings = {"app": "python3 app.py", "context": {"own": "value"}}
    files = {
        ".copier-answers.yml": ANSWERS,
        "cdk.json": json.dumps(settings),
        "app.py": APP,
        "written.json": written(stack=STACK, assets=ASSETS),
    }
    write(tmp_path, files)
    return tmp_path


def test_code_is_taken_from_its_folder_and_looked_for_in_our_bucket(app: Path) -> None:
    assembly = assemble(app)

    package = unbuilt(Code(app / "src"))
    key = f"{hashlib.sha256(package).hexdigest()}.zip"
    assert assembly.packages == {key: package}
    code = assembly.template["Resources"]["One"]["Properties"]["Code"]
    assert code == {"S3Bucket": CODE_BUCKET, "S3Key": key}


def test_a_definition_that_is_a_file_is_put_into_the_template(app: Path) -> None:
    template = assemble(app).template

    assert template["Resources"]["Machine"]["Properties"] == {"Definition": DEFINITION}


def test_an_app_that_is_a_folder_is_what_was_synthesised(app: Path) -> None:
    """As the CDK CLI takes it: https://docs.aws.amazon.com/cdk/v2/guide/configure-synth.html."""
    run = assemble(app)
    made = {**os.environ, "CDK_OUTDIR": str(app / "cdk/made.out"), "CDK_CONTEXT_JSON": "{}"}
    subprocess.run([sys.executable, app / "app.py"], cwd=app, env=made, check=True)
    (app / "app.py").unlink()
    (app / "cdk.json").write_text('{"app": "cdk/made.out"}')

    assert assemble(app).template == run.template


def test_no_bootstrap_stack_is_asked_for(app: Path) -> None:
    template = assemble(app).template

    assert template["Parameters"] == {"Own": {}}
    assert template["Rules"] == {}


def test_the_app_has_its_context_and_builds_no_code(app: Path) -> None:
    assemble(app)

    told = json.loads((app / "told.json").read_text())
    assert told == {"own": "value", **cdk.WITHOUT_BUNDLING}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"app.py": "raise SystemExit('the stack is wrong')"}, "CDK app failed: the stack is"),
        ({"app.py": ""}, "CDK app failed: no output"),
        ({"cdk.json": "{"}, r"cdk\.json is not valid JSON"),
        ({"cdk.json": "{}"}, r"cdk\.json does not say how to run the app"),
        ({"cdk.json": '{"app": 5}'}, r"cdk\.json does not say how to run the app"),
        ({"cdk.json": '{"app": "\'"}'}, "app is not a command: No closing quotation"),
        ({"cdk.json": '{"app": "x", "context": []}'}, "context must map names to values"),
        ({"written.json": written(a=STACK, b=STACK)}, r"deploys one stack; the CDK app has 2"),
    ],
)
def test_a_bad_app_is_one_clear_line(app: Path, files: dict[str, str], message: str) -> None:
    write(app, files)
    with pytest.raises(UserError, match=message) as refused:
        assemble(app)
    assert "\n" not in refused.value.message


def test_an_app_that_is_not_there_is_one_clear_line(app: Path) -> None:
    (app / "cdk.json").unlink()
    with pytest.raises(UserError, match=r"cdk\.json: No such file"):
        assemble(app)


def test_node_is_asked_for_by_name(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=r"needs Node\.js"):
        assemble(app)


def test_javascript_is_bundled_by_cdk_and_deployed_as_it_is(app: Path) -> None:
    assembly = assemble(app, InstalledTypeScript)

    assert json.loads((app / "told.json").read_text()) == {"own": "value"}
    assert assembly.packages == {"abc.zip": unbuilt(Code(app / "src", built=True))}


def test_a_javascript_error_is_told_by_its_own_line(app: Path) -> None:
    (app / "app.py").write_text(
        "raise SystemExit('app.ts:3\\n\\nTypeError: no stack\\n    at app.ts:3:1\\n\\nNode.js v24')"
    )

    with pytest.raises(UserError, match=r"CDK app failed: TypeError: no stack$"):
        assemble(app)


def test_an_app_finds_node_and_npx_of_the_functions_runtime(app: Path) -> None:
    node, _ = interpreters.find("nodejs24.x")

    variables = modules.environment_with_npx(project.load(app), node)

    assert printed("node", "--version", variables=variables) == f"v{node.version_text}"
    assert re.fullmatch(r"[\d.]+", printed("npx", "--version", variables=variables))


def test_npx_runs_what_a_project_has_installed_without_npm(app: Path) -> None:
    node, _ = interpreters.find("nodejs24.x")
    program = app / "node_modules/.bin/installed"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$0 $@"\n')
    program.chmod(0o755)

    variables = modules.environment_with_npx(project.load(app), node)

    told = printed("npx", "--no-install", "installed", "a b", "c", variables=variables)
    assert told == f"{program} a b c"


def printed(*command: str, variables: dict[str, str]) -> str:
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    return done.stdout.strip()
