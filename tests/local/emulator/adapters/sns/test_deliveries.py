"""Topics, rules and schedules: whom they may deliver to, and where the rest goes."""

import json

import pytest
from local.support import Client, DeployStack, bodies, wait_until

from sls_patterns_cli.local.emulator import timescale

STACK = """
Resources:
  Topic: {Type: "AWS::SNS::Topic"}
  Open: {Type: "AWS::SQS::Queue"}
  Closed: {Type: "AWS::SQS::Queue"}
  DeadLetters: {Type: "AWS::SQS::Queue"}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Open, !Ref DeadLetters]
      PolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: [sns.amazonaws.com, events.amazonaws.com]},
             Action: "sqs:SendMessage", Resource: "*"}
  ToOpen:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, Protocol: sqs, Endpoint: !GetAtt Open.Arn,
      FilterPolicy: {to: [open]}}
  ToClosed:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, Protocol: sqs, Endpoint: !GetAtt Closed.Arn,
      FilterPolicy: {to: [closed]}, RawMessageDelivery: true,
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetters.Arn}}
  ToFunction:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, Protocol: lambda, Endpoint: !GetAtt Function.Arn,
      FilterPolicy: {to: [function]},
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetters.Arn}}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {LogGroup: delivered}
      InlineCode: |
        import json
        def handler(event, context): print(json.dumps(event))
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [tests]}
      Targets:
        - {Id: open, Arn: !GetAtt Open.Arn}
        - {Id: closed, Arn: !GetAtt Closed.Arn,
           DeadLetterConfig: {Arn: !GetAtt DeadLetters.Arn}}
  Bus: {Type: "AWS::Events::EventBus", Properties: {Name: deliveries}}
  BusRule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {detail-type: [called]}
      Targets:
        - {Id: function, Arn: !GetAtt Called.Arn, DeadLetterConfig: {Arn: !GetAtt Uncalled.Arn}}
  MayCall:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Called
      Principal: events.amazonaws.com
      SourceArn: !GetAtt BusRule.Arn
  Called:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context): raise ValueError("told to fail")
      EventInvokeConfig:
        MaximumRetryAttempts: 1
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}
  Failed: {Type: "AWS::SQS::Queue"}
  Uncalled: {Type: "AWS::SQS::Queue"}
  UncalledPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Uncalled]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt Uncalled.Arn
            Condition: {ArnEquals: {"aws:SourceArn": !GetAtt BusRule.Arn}}
  Allowed:
    Type: AWS::Scheduler::Schedule
    Properties:
      ScheduleExpression: rate(1 minute)
      FlexibleTimeWindow: {Mode: "OFF"}
      Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt Role.Arn, Input: '{"by": "schedule"}'}
  Forbidden:
    Type: AWS::Scheduler::Schedule
    Properties:
      ScheduleExpression: rate(1 minute)
      FlexibleTimeWindow: {Mode: "OFF"}
      Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt SendingRole.Arn,
        Input: '{"by": "nobody"}', DeadLetterConfig: {Arn: !GetAtt Unstarted.Arn}}
  Untrusted:
    Type: AWS::Scheduler::Schedule
    Properties:
      ScheduleExpression: rate(1 minute)
      FlexibleTimeWindow: {Mode: "OFF"}
      Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt OtherGroupsRole.Arn,
        Input: '{"by": "another group"}'}
  Unstarted: {Type: "AWS::SQS::Queue"}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: &ofGroup
        Statement:
          - Effect: Allow
            Principal: {Service: scheduler.amazonaws.com}
            Action: sts:AssumeRole
            Condition:
              StringEquals:
                aws:SourceAccount: !Ref AWS::AccountId
                aws:SourceArn: !Sub
                  arn:aws:scheduler:${AWS::Region}:${AWS::AccountId}:schedule-group/default
      Policies: &invoking
        - PolicyName: invoke
          PolicyDocument: {Statement: [{Effect: Allow, Action: "lambda:InvokeFunction",
            Resource: !GetAtt Function.Arn}]}
  SendingRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: *ofGroup
      Policies:
        - PolicyName: send
          PolicyDocument: {Statement: [{Effect: Allow, Action: "sqs:SendMessage",
            Resource: !GetAtt Unstarted.Arn}]}
  OtherGroupsRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: scheduler.amazonaws.com}
            Action: sts:AssumeRole
            Condition:
              StringEquals:
                aws:SourceArn: !Sub
                  arn:aws:scheduler:${AWS::Region}:${AWS::AccountId}:schedule-group/other
      Policies: *invoking
Outputs:
  Topic: {Value: !Ref Topic}
  Open: {Value: !Ref Open}
  Closed: {Value: !Ref Closed}
  DeadLetters: {Value: !Ref DeadLetters}
  Unstarted: {Value: !Ref Unstarted}
  Bus: {Value: !Ref Bus}
  Called: {Value: !Ref Called}
  Failed: {Value: !Ref Failed}
  Uncalled: {Value: !Ref Uncalled}
  BusRule: {Value: !Ref BusRule}
"""


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK)


def publish(client: Client, topic: str, to: str) -> None:
    client("sns").publish(
        TopicArn=topic,
        Message=json.dumps({"for": to}),
        MessageAttributes={"to": {"DataType": "String", "StringValue": to}},
    )


def test_a_topic_delivers_to_a_queue_that_lets_it(stack: dict[str, str], client: Client) -> None:
    publish(client, stack["Topic"], "open")

    (envelope,) = wait_until(lambda: bodies(client, stack["Open"]))

    assert json.loads(envelope["Message"]) == {"for": "open"}


@pytest.mark.parametrize("to", ["closed", "function"])
def test_what_a_topic_may_not_deliver_is_in_the_subscriptions_dead_letter_queue(
    to: str, stack: dict[str, str], client: Client
) -> None:
    publish(client, stack["Topic"], to)

    (dead,) = wait_until(lambda: bodies(client, stack["DeadLetters"]))

    assert (dead if to == "closed" else json.loads(dead["Message"])) == {"for": to}
    assert bodies(client, stack["Closed"]) == []


def test_a_rule_delivers_only_to_a_queue_that_lets_it(
    stack: dict[str, str], client: Client
) -> None:
    entry = {"Source": "tests", "DetailType": "tried", "Detail": "{}"}
    client("events").put_events(Entries=[entry])

    (delivered,) = wait_until(lambda: bodies(client, stack["Open"]))
    (dead,) = wait_until(lambda: bodies(client, stack["DeadLetters"]))

    assert delivered["detail-type"] == dead["detail-type"] == "tried"
    assert bodies(client, stack["Closed"]) == []


def test_a_rule_invokes_a_function_asynchronously_and_keeps_what_it_may_not_deliver(
    stack: dict[str, str], client: Client
) -> None:
    """What the function fails at is in its queue; what it does not get is in the rule's."""
    entry = {"EventBusName": stack["Bus"], "Source": "tests", "DetailType": "called"}
    functions = client("lambda")
    client("events").put_events(Entries=[{**entry, "Detail": '{"n": 1}'}])

    (failed,) = wait_until(lambda: bodies(client, stack["Failed"]))

    assert failed["requestPayload"]["detail"] == {"n": 1}
    assert failed["requestContext"]["approximateInvokeCount"] == 2
    policy = json.loads(functions.get_policy(FunctionName=stack["Called"])["Policy"])
    (statement,) = policy["Statement"]
    functions.remove_permission(FunctionName=stack["Called"], StatementId=statement["Sid"])
    client("events").put_events(Entries=[{**entry, "Detail": '{"n": 2}'}])
    (uncalled,) = wait_until(lambda: bodies(client, stack["Uncalled"]))
    assert uncalled["detail"] == {"n": 2}


def test_a_rule_on_a_bus_of_its_own_is_referred_to_with_its_bus(stack: dict[str, str]) -> None:
    bus, _, rule = stack["BusRule"].partition("|")

    assert bus == stack["Bus"]
    assert "BusRule" in rule


def test_a_schedule_starts_what_its_role_may_and_keeps_what_it_cannot_start(
    stack: dict[str, str], client: Client
) -> None:
    def started() -> list[str]:
        logs = client("logs")
        try:
            events = logs.filter_log_events(logGroupName="delivered")["events"]
        except logs.exceptions.ResourceNotFoundException:  # it exists from the first invocation
            return []
        return [event["message"] for event in events if event["message"].startswith("{")]

    wait_until(lambda: started().count('{"by": "schedule"}') >= 2)
    dead = wait_until(lambda: bodies(client, stack["Unstarted"]))

    assert dead[0] == {"by": "nobody"}
    assert set(started()) == {'{"by": "schedule"}'}


@pytest.mark.usefixtures("stack")
def test_a_schedule_comes_as_often_as_other_waits_are_short(client: Client) -> None:
    """Twice a minute's rate, within one; and it is read as it was deployed."""
    (schedule, *_) = client("scheduler").list_schedules()["Schedules"]
    found = client("scheduler").get_schedule(Name=schedule["Name"])
    assert found["ScheduleExpression"] == "rate(1 minute)"
    assert timescale.here().rate(60) == 1
    assert timescale.here().rate(3600) == 3600 / timescale.here().factor
