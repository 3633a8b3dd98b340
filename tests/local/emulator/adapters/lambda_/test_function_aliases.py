"""Aliases: what they lead to, who may invoke them, and how often at the same time."""

import json
from typing import Any

import pytest
from local.support import Client, DeployStack

FUNCTION = """
Resources:
  Quote:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      Environment: {Variables: {WORD: published}}
      InlineCode: |
        import os
        def handler(event, context):
            return [os.environ["WORD"], context.invoked_function_arn]
Outputs:
  Name: {Value: !Ref Quote}
  Alias: {Value: !Ref Quote.Alias}
"""


@pytest.fixture(scope="module")
def quote(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(FUNCTION)


def answer(client: Client, function: str) -> Any:
    invoked = client("lambda").invoke(FunctionName=function)
    return json.load(invoked["Payload"])


def test_an_alias_serves_what_was_published_whatever_becomes_of_the_function(
    quote: dict[str, str], client: Client
) -> None:
    client("lambda").update_function_configuration(
        FunctionName=quote["Name"], Environment={"Variables": {"WORD": "changed"}}
    )

    assert answer(client, quote["Name"])[0] == "changed"
    assert answer(client, quote["Alias"]) == ["published", quote["Alias"]]


def test_an_alias_leads_to_the_version_that_it_is_told(
    quote: dict[str, str], client: Client
) -> None:
    functions = client("lambda")
    functions.update_function_configuration(
        FunctionName=quote["Name"], Environment={"Variables": {"WORD": "next"}}
    )
    version = functions.publish_version(FunctionName=quote["Name"])["Version"]
    functions.update_alias(FunctionName=quote["Name"], Name="live", FunctionVersion=version)

    assert answer(client, quote["Alias"])[0] == "next"


def test_what_is_reserved_for_a_function_bounds_its_versions(
    quote: dict[str, str], client: Client
) -> None:
    functions = client("lambda")
    functions.put_function_concurrency(FunctionName=quote["Name"], ReservedConcurrentExecutions=0)

    with pytest.raises(functions.exceptions.TooManyRequestsException):
        answer(client, quote["Alias"])

    functions.delete_function_concurrency(FunctionName=quote["Name"])
    assert answer(client, quote["Alias"])


def test_what_permits_the_function_does_not_permit_its_alias(
    quote: dict[str, str], client: Client
) -> None:
    """A statement about the alias is the alias's own, as on AWS."""
    functions = client("lambda")
    functions.add_permission(
        FunctionName=quote["Name"],
        Qualifier="live",
        StatementId="caller",
        Action="lambda:InvokeFunction",
        Principal="arn:aws:iam::111122223333:root",
    )

    policy = json.loads(
        functions.get_policy(FunctionName=quote["Name"], Qualifier="live")["Policy"]
    )
    assert [each["Resource"] for each in policy["Statement"]] == [quote["Alias"]]
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_policy(FunctionName=quote["Name"], Qualifier="1")


def test_an_alias_divides_invocations_by_its_weights(quote: dict[str, str], client: Client) -> None:
    functions = client("lambda")
    functions.update_function_configuration(
        FunctionName=quote["Name"], Environment={"Variables": {"WORD": "candidate"}}
    )
    version = functions.publish_version(FunctionName=quote["Name"])["Version"]
    before = answer(client, quote["Alias"])[0]
    weighted = {"FunctionName": quote["Name"], "Name": "live"}

    functions.update_alias(**weighted, RoutingConfig={"AdditionalVersionWeights": {version: 0.5}})
    mixed = {answer(client, quote["Alias"])[0] for _ in range(40)}
    functions.update_alias(**weighted, RoutingConfig={"AdditionalVersionWeights": {}})
    led_back = {answer(client, quote["Alias"])[0] for _ in range(10)}

    assert mixed == {before, "candidate"}
    assert led_back == {before}


FAILING = """
Resources:
  Failed: {Type: AWS::SQS::Queue}
  Work:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      InlineCode: "def handler(event, context): raise ValueError(context.invoked_function_arn)"
      Policies:
        - Statement: {Effect: Allow, Action: sqs:SendMessage, Resource: !GetAtt Failed.Arn}
      Events:
        News: {Type: SNS, Properties: {Topic: !Ref News}}
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}
  News: {Type: AWS::SNS::Topic}
Outputs:
  Alias: {Value: !Ref Work.Alias}
  Failed: {Value: !Ref Failed}
  News: {Value: !Ref News}
"""


@pytest.mark.parametrize("by", ["sdk", "topic"])
def test_what_an_alias_is_configured_for_holds_for_its_events(
    deploy_stack: DeployStack, client: Client, by: str
) -> None:
    """Fact A6: the function itself is configured for nothing."""
    outputs = deploy_stack(FAILING)

    if by == "sdk":
        client("lambda").invoke(FunctionName=outputs["Alias"], InvocationType="Event")
    else:
        client("sns").publish(TopicArn=outputs["News"], Message="news")

    received = client("sqs").receive_message(QueueUrl=outputs["Failed"], WaitTimeSeconds=20)
    (message,) = received["Messages"]
    assert json.loads(message["Body"])["responsePayload"]["errorMessage"] == outputs["Alias"]
