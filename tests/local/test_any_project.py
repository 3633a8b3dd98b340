"""`local up` deploys SAM projects that this tool has not generated, as they are."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any
from zipfile import ZipFile

import pytest
from command import Cli
from local.support import wait_until, write
from local.up import Up

pytestmark = pytest.mark.xdist_group("any-project")

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, AllowedPattern: "^gr.*$"}
  Mail: {Type: String, AllowedPattern: "^[^@]+@[^@]+$"}
  Ami: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/service/ami}
Globals:
  Function: {Runtime: python3.13, CodeUri: src/, Timeout: 20}
Resources:
  Greet:
    Type: AWS::Serverless::Function
    Properties:
      Handler: shop.greet
      Layers: [!Ref Words, !Sub "arn:aws:lambda:${AWS::Region}:017000801446:layer:Elsewhere:1"]
      Environment: {Variables: {GREETING: !Ref Greeting, MAIL: !Ref Mail}}
      Events: {Greet: {Type: HttpApi, Properties: {Method: GET, Path: /greeting}}}
  Words:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: words/}
  Inline:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      InlineCode: |
        import boto3
        def handler(event, context):
            return boto3.client("sqs").meta.region_name
  Alone:
    Type: AWS::Serverless::Function
    Properties: {Handler: alone.handler, CodeUri: alone.py, Runtime: python3.9}
  Zipped:
    Type: AWS::Serverless::Function
    Properties: {Handler: zipped.handler, CodeUri: zipped.zip}
  Plain:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: nodejs20.x
      Handler: index.handler
      Role: arn:aws:iam::000000000000:role/outside
      Code: node/
  Bundled:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: esbuild, BuildProperties: {EntryPoints: [app.ts]}}
    Properties: {Runtime: nodejs20.x, Handler: app.handler, CodeUri: bundled/}
  Made:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile}
    Properties: {Handler: made.handler, CodeUri: made/}
  Elsewhere:
    Type: AWS::Serverless::Function
    Properties: {Runtime: java21, Handler: shop.Main, CodeUri: java/}
  Image:
    Type: AWS::Lambda::Function
    Properties:
      PackageType: Image
      Role: arn:aws:iam::000000000000:role/outside
      Code: {ImageUri: "000000000000.dkr.ecr.us-east-1.amazonaws.com/image:1"}
  Network:
    Type: AWS::EC2::VPCEndpoint
    Properties:
      ServiceName: com.amazonaws.us-east-1.sqs
      VpcId: !Sub "{{resolve:ssm:/vpc/${AWS::Region}}}"
  Secret:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: "key {{resolve:secretsmanager:elsewhere}}"}
  Answering:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: nodejs20.x
      Handler: index.handler
      Role: arn:aws:iam::000000000000:role/outside
      Code:
        ZipFile: |
          const https = require("https");
          exports.handler = (event) => new Promise((resolve) => {
            const { hostname, pathname, search } = new URL(event.ResponseURL);
            const { StackId, RequestId, LogicalResourceId } = event;
            const answer = { Status: "SUCCESS", PhysicalResourceId: "id", Data: { Word: "yes" } };
            const body = JSON.stringify({ ...answer, StackId, RequestId, LogicalResourceId });
            const options = {
              hostname, port: 443, path: pathname + search, method: "PUT",
              headers: { "content-length": body.length },
            };
            https.request(options, resolve).end(body);
          });
  Asked: {Type: "Custom::Asked", Properties: {ServiceToken: !GetAtt Answering.Arn}}
  Search:
    Type: AWS::QBusiness::Application
    Properties: {DisplayName: search}
  Inner:
    Type: AWS::Serverless::Application
    Properties: {Location: inner/template.yaml, Parameters: {Suffix: "!"}}
  Fn::Transform: {Name: AWS::Include, Parameters: {Location: included.yaml}}
Outputs:
  ApiUrl: {Value: !GetAtt ServerlessHttpApi.ApiEndpoint}
  SearchArn: {Value: !GetAtt Search.ApplicationArn}
  TableName: {Value: !Ref Included}
  Word: {Value: !GetAtt Asked.Word}
  Host: {Value: !Select [1, !Split [":", !Select [0, !GetAtt Network.DnsEntries]]]}
"""

INNER = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Suffix: {Type: String}}
Resources:
  Nested:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: nested.handler
      CodeUri: code/
      Environment: {Variables: {SUFFIX: !Ref Suffix}}
"""

INCLUDED = """
Included:
  Type: AWS::DynamoDB::Table
  Properties:
    AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
    KeySchema: [{AttributeName: id, KeyType: HASH}]
    BillingMode: PAY_PER_REQUEST
"""

GREET = """
import os
import words
import wanted

def greet(event, context):
    return {"statusCode": 200, "body": f"{words.HELLO} {wanted.NAME} {os.environ['GREETING']}"}
"""

WANTED = {
    "src/wanted/pyproject.toml": '[project]\nname = "wanted"\nversion = "1"\n'
    '[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n'
    '[tool.uv.build-backend]\nmodule-root = ""\nmodule-name = "wanted"\n',
    "src/wanted/wanted/__init__.py": 'NAME = "wanted"\n',
}

PROJECT = {
    **WANTED,
    "template.yaml": TEMPLATE,
    "included.yaml": INCLUDED,
    "src/shop.py": GREET,
    "src/requirements.txt": "./wanted\n",
    "words/python/words.py": 'HELLO = "hello"\n',
    "alone.py": "def handler(event, context):\n    return 'alone'\n",
    "node/index.js": 'exports.handler = async () => require("own").name;\n',
    "node/package.json": '{"dependencies": {"own": "file:./own"}}',
    "node/own/package.json": '{"name": "own", "version": "1.0.0"}',
    "node/own/index.js": 'exports.name = "own";\n',
    "bundled/app.ts": 'export const handler = async (): Promise<string> => "bundled";\n',
    "made/Makefile": "build-Made:\n\tcp source.py $(ARTIFACTS_DIR)/made.py\n",
    "made/source.py": "def handler(event, context):\n    return 'made'\n",
    "java/Main.java": "class Main {}\n",
    "inner/template.yaml": INNER,
    "inner/code/nested.py": "import os\ndef handler(event, context):\n"
    "    return 'nested' + os.environ['SUFFIX']\n",
}

SECONDS = 120
"""How long a busy machine may take to install, to build and to deploy."""


@pytest.fixture(scope="module")
def up(user: Cli) -> Iterator[Up]:
    root = user.folder / "shop"
    write(root, PROJECT)
    with ZipFile(root / "zipped.zip", "w") as archive:
        archive.writestr("zipped.py", "def handler(event, context):\n    return 'zipped'\n")
    running = Up(
        user, root, "--trust-code", "--watch", "--parameter", "Greeting=greetings", seconds=SECONDS
    )
    wait_until(lambda: "Watching shop" in running.printed, SECONDS)
    yield running
    running.end()


def invoked(user: Cli, up: Up, function: str) -> tuple[int, Any]:
    done = user("local", "invoke", function, "--project", str(up.root))
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        ("Inline", "us-east-1"),
        ("Alone", "alone"),
        ("Zipped", "zipped"),
        ("Plain", "own"),
        ("Bundled", "bundled"),
        ("Nested", "nested!"),
        ("Made", "made"),
    ],
)
def test_code_is_built_from_whatever_a_template_names(
    function: str, answer: str, up: Up, user: Cli
) -> None:
    assert invoked(user, up, function) == (0, answer)


def test_an_api_answers_with_what_a_layer_requirements_and_a_parameter_say(up: Up) -> None:
    (line,) = (each for each in up.printed.splitlines() if each.startswith("export ApiUrl="))
    url = line.partition("=")[2].strip("'")
    with urllib.request.urlopen(f"{url}/greeting", timeout=30) as answer:  # noqa: S310
        assert answer.read().decode() == "hello wanted greetings"


@pytest.mark.parametrize(
    ("function", "why"), [("Elsewhere", "java21"), ("Image", "container image")]
)
def test_a_function_that_cannot_run_is_named_and_fails_plainly(
    function: str, why: str, up: Up, user: Cli
) -> None:
    code, answer = invoked(user, up, function)
    assert code == 1
    assert answer["errorMessage"] == (
        f"{function} does not run on the local stack: it is a {why} function"
    )
    assert up.printed.count(f"{function} does not run here") == 1


def test_outputs_have_what_is_included_inert_and_answered(up: Up) -> None:
    for output in ("SearchArn=arn:aws:qbusiness:", "TableName=", "Word=yes"):
        assert f"export {output}" in up.printed


def test_what_is_derived_or_not_there_is_said_once(up: Up) -> None:
    said = [
        "The parameter Mail has no default; took 'someone@example.com' (--parameter Mail=VALUE)",
        "AWS::QBusiness::Application is there by name only",
        "layer:Elsewhere:1 is not here: Greet runs without it",
    ]
    for line in said:
        assert up.printed.count(line) == 1, up.printed
    assert "parameter Greeting" not in up.printed


def test_the_projects_folder_gets_nothing_that_git_sees(up: Up) -> None:
    subprocess.run(["git", "init", "--quiet", str(up.root)], check=True)
    status = ["git", "-C", str(up.root), "status", "--porcelain", "--untracked-files=all"]
    seen = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    names = {line[3:] for line in seen.splitlines()}
    assert names == {*PROJECT, "zipped.zip"}


def test_a_saved_change_is_deployed_and_nothing_else(up: Up, user: Cli) -> None:
    (up.root / "alone.py").write_text("def handler(event, context):\n    return 'changed'\n")
    wait_until(lambda: "(alone.py)" in up.printed, SECONDS)
    assert "Deployed Alone in " in up.printed
    assert invoked(user, up, "Alone") == (0, "changed")


CODE_STACK = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Name: {Type: String}}
Resources:
  Greet:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.13, Handler: a.b, CodeUri: src/}
"""

TRUST = ("local", "up", "project", "--trust-code")


@pytest.mark.parametrize(
    ("files", "arguments", "says"),
    [
        ({}, TRUST, "has nothing to deploy: no project of sls-patterns, no template.yaml"),
        ({"template.yaml": CODE_STACK}, TRUST, "names the code src/, which does not exist"),
        (
            {"template.yaml": CODE_STACK, "src/a.py": ""},
            (*TRUST, "--parameter", "Nam=x"),
            "--parameter Nam: the template has no such parameter (Name)",
        ),
        (
            {"template.yaml": CODE_STACK, "src/a.py": ""},
            (*TRUST, "--parameter", "Name"),
            "--parameter 'Name' is not of the form NAME=VALUE",
        ),
        ({"template.yaml": "Resources: [1]"}, TRUST, "template.yaml"),
        ({"cdk.json": '{"app": 1}'}, TRUST, "does not say how to run the app"),
        (
            {"template.yaml": CODE_STACK, "src/a.py": "", "src/requirements.txt": "no==0; x\n"},
            TRUST,
            "uv pip install failed",
        ),
    ],
    ids=["nothing", "no-code", "no-such-parameter", "no-value", "broken", "no-app", "no-package"],
)
def test_what_cannot_be_deployed_is_one_line(
    files: dict[str, str], arguments: tuple[str, ...], says: str, cli: Cli
) -> None:
    (cli.folder / "project").mkdir()
    write(cli.folder / "project", files)
    done = cli(*arguments)
    assert done.returncode in {1, 2}
    (line,) = done.stderr.splitlines()
    assert line.startswith("sls-patterns: ")
    assert says in line


def test_code_of_others_is_not_run_unless_somebody_agrees(cli: Cli) -> None:
    app = {"cdk.json": '{"app": "touch ran"}'}
    write(cli.folder / "project", app)
    refused = cli("local", "up", "project")
    assert refused.returncode == 2
    assert refused.stderr.endswith("To agree: sls-patterns local up --trust-code\n")
    assert {each.name for each in (cli.folder / "project").iterdir()} == {"cdk.json"}

    for arguments in (TRUST, TRUST[:-1]):  # the second time it is recorded
        done = cli(*arguments)
        assert "The CDK app failed: no output" in done.stderr
        ran = cli.folder / "project" / "ran"
        assert ran.exists()
        ran.unlink()

    write(cli.folder / "other", app)  # for that folder, and no other
    assert cli("local", "up", "other").returncode == 2


def manifest(**stacks: str) -> str:
    artifacts: dict[str, Any] = {}
    for name, file in stacks.items():
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "properties": {"templateFile": file},
        }
        assets = {"file": "assets.json"}
        artifacts[f"{name}.assets"] = {"type": "cdk:asset-manifest", "properties": assets}
    return json.dumps({"artifacts": artifacts})


BUCKET = {"Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"}

APP = """
import json, os, shutil, sys

context = json.loads(os.environ["CDK_CONTEXT_JSON"])
if not context["own"] or context.get("aws:cdk:bundling-stacks") != []:
    sys.exit("Error: spawnSync docker ENOENT")
shutil.copytree("made", os.environ["CDK_OUTDIR"], dirs_exist_ok=True)
"""

ASSEMBLY = {
    "cdk.out/manifest.json": manifest(Names="names.json", Greeter="greeter.json"),
    "cdk.out/names.json": json.dumps(
        {
            "Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>"}},
            "Rules": {"CheckBootstrapVersion": {"Assertions": []}},
            "Resources": {"Names": {"Type": "AWS::SQS::Queue"}},
            "Outputs": {
                "Export": {
                    "Value": {"Fn::GetAtt": ["Names", "QueueName"]},
                    "Export": {"Name": "names"},
                }
            },
        }
    ),
    "cdk.out/greeter.json": json.dumps(
        {
            "Mappings": {"Runtimes": {"us-east-1": {"python": "python3.13"}}},
            "Resources": {
                "Greet": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {
                        "Runtime": {
                            "Fn::FindInMap": ["Runtimes", {"Ref": "AWS::Region"}, "python"]
                        },
                        "Handler": "greet.handler",
                        "Role": "arn:aws:iam::000000000000:role/outside",
                        "Code": {"S3Bucket": BUCKET, "S3Key": "abc.zip"},
                        "Environment": {"Variables": {"NAMES": {"Fn::ImportValue": "names"}}},
                    },
                },
                "Site": {
                    "Type": "Custom::CDKBucketDeployment",
                    "Properties": {"ServiceToken": "x"},
                },
            },
        }
    ),
    "cdk.out/assets.json": json.dumps(
        {
            "files": {
                "abc": {
                    "source": {"path": "asset.abc", "packaging": "zip"},
                    "destinations": {
                        "here": {"bucketName": BUCKET["Fn::Sub"], "objectKey": "abc.zip"}
                    },
                }
            }
        }
    ),
    "cdk.out/asset.abc/greet.py": "import os, wanted\n"
    "def handler(event, context):\n    return wanted.NAME + os.environ['NAMES']\n",
    "cdk.out/asset.abc/requirements.txt": "./wanted\n",
    **{name.replace("src", "cdk.out/asset.abc"): text for name, text in WANTED.items()},
    "cdk.json": json.dumps({"app": f"{sys.executable} app.py", "context": {"own": True}}),
    "app.py": APP,
}


def test_the_stacks_of_a_cdk_app_are_deployed_as_one(cli: Cli) -> None:
    root = cli.folder / "app"
    write(root, {name.replace("cdk.out", "made"): text for name, text in ASSEMBLY.items()})
    up = Up(cli, root, "--trust-code", seconds=SECONDS)
    try:
        code, answer = invoked(cli, up, "Greet")
    finally:
        up.end()
    assert code == 0
    assert answer.startswith("wantedapp-Names-")
    assert "Custom::CDKBucketDeployment is there by name only" in up.printed
    assert "CDK wanted Docker to bundle code" in up.printed
    assert "import of" not in up.printed


def test_what_cdk_has_written_is_deployed_as_it_is(cli: Cli) -> None:
    write(cli.folder, ASSEMBLY)
    up = Up(cli, cli.folder / "cdk.out", "--trust-code", seconds=SECONDS)
    try:
        code, answer = invoked(Cli(cli.folder, cli.environment), up, "Greet")
    finally:
        up.end()
    assert code == 1
    assert "module 'wanted' has no attribute" in answer["errorMessage"]
