"""How a deployed stack is read: its template, parameters, conditions, nested stacks, and drift."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from command import Cli
from letters.conftest import Letters, bodies
from letters.proxy import proxy
from letters.test_ways_back import record
from local.support import Client, DeployStack, wait_until

from sls_patterns_cli.local.emulator.server import Emulator

YAML = """
Parameters:
  Name: {Type: String, Default: orders}
  WithTopic: {Type: String, Default: "no"}
Conditions:
  HasTopic: !Equals [!Ref WithTopic, "yes"]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy:
        deadLetterTargetArn: !If [HasTopic, !GetAtt Second.Arn, !GetAtt First.Arn]
        maxReceiveCount: 5
  First: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${AWS::StackName}-first"}}
  Second: {Type: AWS::SQS::Queue, Condition: HasTopic}
  Consumer:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: {ZipFile: "def handler(event, context): pass"}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: !GetAtt Queue.Arn, FunctionName: !Ref Consumer, Enabled: false}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
      Policies:
        - PolicyName: queue
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action: ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
                Resource: "*"
"""
BY_CODE = """
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt Failed.Arn, maxReceiveCount: 5}}
  Failed: {Type: AWS::SQS::Queue}
"""

Create = Callable[..., None]


@pytest.fixture
def create(client: Client) -> Create:
    """Creates a stack of a template as it is, and waits for it."""

    def create_stack(name: str, template: str, **parameters: str) -> None:
        cloudformation = client("cloudformation")
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=template,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        )
        described = wait_until(
            lambda: [
                stack
                for stack in cloudformation.describe_stacks(StackName=name)["Stacks"]
                if not stack["StackStatus"].endswith("_IN_PROGRESS")
            ]
        )
        assert described[0]["StackStatus"] == "CREATE_COMPLETE", described

    return create_stack


def ends(letters: Letters, *arguments: str) -> dict[str, Any]:
    """Return the ends that are listed, by name."""
    done = letters("list", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return {end["end"]: end for end in json.loads(done.stdout)["ends"]}


def test_a_template_in_yaml_with_short_forms_is_read(letters: Letters, create: Create) -> None:
    create("in-yaml", YAML)

    assert list(ends(letters, "--stack", "in-yaml")) == ["First"]


def test_conditions_are_decided_as_the_stack_was_deployed(letters: Letters, create: Create) -> None:
    create("with-topic", YAML, WithTopic="yes")

    assert list(ends(letters, "--stack", "with-topic")) == ["Second"]


def test_a_template_may_take_the_place_of_the_deployed_one(
    letters: Letters, create: Create, cli: Cli
) -> None:
    create("from-file", YAML)
    file = cli.folder / "template.yaml"
    file.write_text(YAML)

    assert list(ends(letters, "template.yaml", "--stack", "from-file")) == ["First"]


def test_the_ends_of_nested_stacks_are_found(
    letters: Letters, create: Create, client: Client
) -> None:
    client("s3").create_bucket(
        Bucket="nested", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    client("s3").put_object(Bucket="nested", Key="inner.yaml", Body=YAML.encode())
    url = f"{client('s3').meta.endpoint_url}/nested/inner.yaml"
    inner = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    create(
        "outer", json.dumps({"Resources": {"Inner": inner, "Other": {"Type": "AWS::SQS::Queue"}}})
    )

    found = ends(letters, "--stack", "outer")

    assert list(found) == ["First"]
    policy = json.loads(letters("policy", "--stack", "outer").stdout)
    stacks = [
        resource
        for statement in policy["Statement"]
        for resource in statement["Resource"]
        if ":cloudformation:" in resource
    ]
    assert len(stacks) == 2


def test_an_end_that_was_changed_by_hand_is_said(
    letters: Letters, create: Create, client: Client
) -> None:
    create("drifted", YAML)
    sqs = client("sqs")
    resources = client("cloudformation").list_stack_resources(StackName="drifted")
    ids = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in resources["StackResourceSummaries"]
    }
    other = sqs.create_queue(QueueName="by-hand")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=other, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    assert ends(letters, "--stack", "drifted")["First"]["drift"] == []

    policy = {"deadLetterTargetArn": arn, "maxReceiveCount": 5}
    sqs.set_queue_attributes(
        QueueUrl=ids["Queue"], Attributes={"RedrivePolicy": json.dumps(policy)}
    )
    changed = ends(letters, "--stack", "drifted")["First"]["drift"]
    sqs.set_queue_attributes(QueueUrl=ids["Queue"], Attributes={"RedrivePolicy": ""})
    removed = ends(letters, "--stack", "drifted")["First"]["drift"]

    assert changed == [f"failures of Consumer now end in {arn}, and not in First"]
    assert removed == ["failures of Consumer end nowhere now, and not in First"]


def test_an_end_without_permission_is_one_line_and_the_others_are_done(
    letters: Letters, shop: dict[str, str], client: Client, emulator: Emulator
) -> None:
    for end in ("AwardFailed", "OlderFailed"):
        bodies(client, shop[end])
    body = json.dumps(record(shop["AwardArn"], {"allowed": 1}))
    client("sqs").send_message(QueueUrl=shop["AwardFailed"], MessageBody=body)
    denied = shop["OlderFailed"].rpartition("/")[2]
    only = ("--stack", "shop", "--end", "AwardFailed", "--end", "OlderFailed")

    def deny(action: str, when: str, content: bytes) -> bool:
        return when == "before" and action.endswith("ReceiveMessage") and denied.encode() in content

    with proxy(emulator.port, deny) as address:
        listed = letters("list", *only, AWS_ENDPOINT_URL=address)
        redriven = letters("redrive", *only, "--all", "--yes", AWS_ENDPOINT_URL=address)

    assert listed.stdout.startswith("AwardFailed: 1 of 1 seen")
    assert listed.stderr == "sls-patterns: OlderFailed: no permission: the role may not\n"
    assert listed.returncode == 1
    assert redriven.stdout == "AwardFailed: 1 sent back\n  processed: 1 of them\n"
    assert redriven.stderr == "sls-patterns: OlderFailed: no permission: the role may not\n"
    assert redriven.returncode == 1


def test_what_may_not_be_confirmed_is_said_and_listed_all_the_same(
    letters: Letters, shop: dict[str, str], emulator: Emulator
) -> None:
    def deny(action: str, when: str, _content: bytes) -> bool:
        return when == "before" and "event-invoke-config" in action

    assert shop
    with proxy(emulator.port, deny) as address:
        done = letters("list", "--stack", "shop", "--end", "AwardFailed", AWS_ENDPOINT_URL=address)

    says = "where failures of Award end cannot be confirmed: no permission: the role may not"
    assert says in done.stdout
    assert done.returncode == 0


def test_credentials_that_aws_refuses_are_said(
    letters: Letters, shop: dict[str, str], emulator: Emulator
) -> None:
    assert shop

    def refuse(_action: str, when: str, _content: bytes) -> bool:
        return when == "before"

    with proxy(emulator.port, refuse, code="ExpiredToken") as address:
        done = letters("list", "--stack", "shop", AWS_ENDPOINT_URL=address)

    says = "The stack shop: AWS refuses the credentials: the role may not"
    assert (done.returncode, done.stderr) == (2, f"sls-patterns: {says}\n")


def test_a_folder_that_is_a_project_names_its_stack(
    letters: Letters, create: Create, cli: Cli
) -> None:
    create("my-project", YAML)
    (cli.folder / ".copier-answers.yml").write_text("project_name: my-project\n")

    assert list(ends(letters)) == ["First"]


def test_ends_of_a_stack_of_sam_are_found(letters: Letters, deploy_stack: DeployStack) -> None:
    deploy_stack("Resources: {Nothing: {Type: 'AWS::SQS::Queue'}}", "without-ends")

    done = letters("list", "--stack", "without-ends")

    assert (done.returncode, done.stdout) == (0, "without-ends has no end that keeps letters\n")


def test_the_end_of_a_queue_that_code_receives_from_is_found(
    create: Create, letters: Letters, client: Client
) -> None:
    create("by-code", BY_CODE)
    resources = client("cloudformation").list_stack_resources(StackName="by-code")
    urls = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in resources["StackResourceSummaries"]
    }
    client("sqs").send_message(QueueUrl=urls["Failed"], MessageBody="job")

    (end,) = json.loads(letters("list", "--stack", "by-code", "--json").stdout)["ends"]
    done = letters("redrive", "--stack", "by-code", "--older-than", "0s", "--yes")

    assert (end["end"], end["failed"], end["seen"]) == ("Failed", ["Jobs"], 1)
    assert (done.returncode, done.stdout) == (0, "Failed: 1 sent back\n")
    assert bodies(client, urls["Jobs"]) == ["job"]
