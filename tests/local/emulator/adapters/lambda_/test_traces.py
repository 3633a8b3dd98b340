"""One trace: from the function that begins it to what it causes, and into dead-letter queues."""

import json
from typing import Any

import pytest
from local.support import Client, DeployStack, wait_until

from sls_patterns_cli.local.emulator.adapters.lambda_.traces import fields, new_header

HEADER = "X-Amzn-Trace-Id"

CODE = """
        import json, os
        def handler(event, context):
            print(json.dumps({"trace": os.environ["_X_AMZN_TRACE_ID"], "event": event}))
            if "fail" in json.dumps(event):
                raise ValueError("told to fail")
"""
STACK = f"""
Resources:
  Polled:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1}}
  Dead: {{Type: "AWS::SQS::Queue"}}
  Inbox: {{Type: "AWS::SQS::Queue"}}
  Consumer:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {{LogGroup: traces-consumer}}
      Events: {{Queue: {{Type: SQS, Properties: {{Queue: !GetAtt Polled.Arn, BatchSize: 1}}}}}}
      InlineCode: |{CODE}
  Topic: {{Type: "AWS::SNS::Topic"}}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Inbox]
      PolicyDocument:
        Statement:
          - {{Effect: Allow, Principal: {{Service: [sns.amazonaws.com, events.amazonaws.com]}},
             Action: "sqs:SendMessage", Resource: "*"}}
  ToInbox:
    Type: AWS::SNS::Subscription
    Properties: {{TopicArn: !Ref Topic, Protocol: sqs, Endpoint: !GetAtt Inbox.Arn}}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {{source: [traces, aws.states]}}
      Targets: [{{Id: inbox, Arn: !GetAtt Inbox.Arn}}]
  Second:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {{LogGroup: traces-second}}
      InlineCode: |{CODE}
      EventInvokeConfig:
        MaximumRetryAttempts: 1
        DestinationConfig: {{OnFailure: {{Type: SQS, Destination: !GetAtt Failed.Arn}}}}
      Events: {{Topic: {{Type: SNS, Properties: {{Topic: !Ref Topic}}}}}}
  Traced:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {{LogGroup: traces-traced}}
      Tracing: Active
      InlineCode: |{CODE}
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig: {{OnFailure: {{Type: SQS, Destination: !GetAtt Failed.Arn}}}}
  Failed: {{Type: "AWS::SQS::Queue"}}
  TracedMachine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Tracing: {{Enabled: true}}
      Policies: [AdministratorAccess]
      Definition: &definition
        StartAt: One
        States:
          One: {{Type: Task, Resource: !GetAtt Second.Arn, ResultPath: null, Next: Two}}
          Two: {{Type: Task, Resource: !GetAtt Second.Arn, End: true}}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Policies: [AdministratorAccess]
      Definition: *definition
Outputs:
  Second: {{Value: !Ref Second}}
  Traced: {{Value: !Ref Traced}}
  Polled: {{Value: !Ref Polled}}
  Dead: {{Value: !Ref Dead}}
  Inbox: {{Value: !Ref Inbox}}
  Failed: {{Value: !Ref Failed}}
  Topic: {{Value: !Ref Topic}}
  Machine: {{Value: !Ref Machine}}
  TracedMachine: {{Value: !Ref TracedMachine}}
"""


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK, "traces")


@pytest.fixture
def aws(client: Client, stack: dict[str, str]) -> "Aws":
    return Aws(client, stack)


class Aws:
    def __init__(self, client: Client, stack: dict[str, str]) -> None:
        self._client, self._stack = client, stack

    def call(self, service: str, operation: str, **request: Any) -> str:
        """Call AWS as an SDK in a function does; return the root of the function's trace."""
        header = new_header()
        client = self._client(service)
        client.meta.events.register(
            "before-call", lambda params, **_: params["headers"].update({HEADER: header})
        )
        getattr(client, operation)(**request)
        return fields(header)["Root"]

    def received(self, queue: str, text: str) -> dict[str, Any]:
        """Return the message with this text, once it is in the queue."""

        def found() -> dict[str, Any] | None:
            answer = self._client("sqs").receive_message(
                QueueUrl=self._stack[queue], MessageSystemAttributeNames=["All"]
            )
            messages = answer.get("Messages", [])
            return next((each for each in messages if text in each["Body"]), None)

        message: dict[str, Any] = wait_until(found)
        return message

    def root_of(self, queue: str, text: str) -> str | None:
        header = self.received(queue, text)["Attributes"].get("AWSTraceHeader", "")
        return fields(header).get("Root")

    def invocations(self, function: str, text: str, count: int) -> list[dict[str, Any]]:
        """Return what a function has logged of events with this text."""

        def found() -> list[dict[str, Any]] | None:
            try:
                events = self._client("logs").filter_log_events(logGroupName=f"traces-{function}")
            except self._client("logs").exceptions.ResourceNotFoundException:
                return None
            texts = [each["message"].strip() for each in events["events"]]
            lines = [json.loads(each) for each in texts if each.startswith('{"trace"')]
            fitting = [each for each in lines if text in json.dumps(each["event"])]
            return fitting if len(fitting) >= count else None

        lines: list[dict[str, Any]] = wait_until(found)
        return lines


def test_a_message_carries_the_trace_to_its_consumer_and_dead_letter_queue(
    aws: Aws, stack: dict[str, str]
) -> None:
    message = {"QueueUrl": stack["Polled"], "MessageBody": "fail: of-a-queue"}
    root = aws.call("sqs", "send_message", **message)

    (seen,) = aws.invocations("consumer", "of-a-queue", 1)
    (record,) = seen["event"]["Records"]
    assert fields(record["attributes"]["AWSTraceHeader"])["Root"] == root
    assert fields(seen["trace"])["Root"] != root  # a batch is of several traces, and has its own
    assert aws.root_of("Dead", "of-a-queue") == root


def test_the_messages_of_a_batch_carry_the_trace_of_the_call(
    aws: Aws, stack: dict[str, str]
) -> None:
    entries = [{"Id": text, "MessageBody": f"batch-{text}"} for text in "ab"]
    root = aws.call("sqs", "send_message_batch", QueueUrl=stack["Inbox"], Entries=entries)

    assert {aws.root_of("Inbox", f"batch-{text}") for text in "ab"} == {root}


def test_a_header_that_a_call_names_itself_is_kept(client: Client, stack: dict[str, str]) -> None:
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    client("sqs").send_message(
        QueueUrl=stack["Inbox"],
        MessageBody="own-header",
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": header}},
    )

    received = Aws(client, stack).received("Inbox", "own-header")

    assert received["Attributes"]["AWSTraceHeader"] == header


def test_a_topic_passes_the_trace_on(aws: Aws, stack: dict[str, str]) -> None:
    root = aws.call("sns", "publish", TopicArn=stack["Topic"], Message="of-a-topic")

    assert aws.root_of("Inbox", "of-a-topic") == root
    (seen,) = aws.invocations("second", "of-a-topic", 1)
    assert fields(seen["trace"])["Root"] == root


def test_a_rule_passes_the_trace_of_an_event_on(aws: Aws) -> None:
    event = {"Source": "traces", "DetailType": "told", "Detail": json.dumps({"of": "a-bus"})}
    root = aws.call("events", "put_events", Entries=[event])

    assert aws.root_of("Inbox", "a-bus") == root


def test_attempts_of_an_event_are_of_one_trace_and_only_traced_records_carry_it(
    aws: Aws, stack: dict[str, str]
) -> None:
    called = {"InvocationType": "Event", "Payload": json.dumps({"of": "fail: untraced"})}
    root = aws.call("lambda", "invoke", **called, FunctionName=stack["Second"])

    attempts = aws.invocations("second", "untraced", 2)
    assert {fields(each["trace"])["Root"] for each in attempts} == {root}
    assert {frozenset(fields(each["trace"])) for each in attempts} == {
        frozenset({"Root", "Lineage"})
    }
    assert aws.root_of("Failed", "untraced") is None

    called["Payload"] = json.dumps({"of": "fail: it-is-traced"})
    root = aws.call("lambda", "invoke", **called, FunctionName=stack["Traced"])

    (attempt,) = aws.invocations("traced", "it-is-traced", 1)
    assert fields(attempt["trace"])["Root"] == root
    assert fields(attempt["trace"])["Sampled"] == "1"
    assert aws.root_of("Failed", "it-is-traced") == root


def test_the_tasks_of_a_machine_with_traces_are_of_the_trace_that_started_it(
    aws: Aws, stack: dict[str, str]
) -> None:
    roots = {}
    for machine in ("TracedMachine", "Machine"):
        of = f"execution-of-{machine}"
        started = {"stateMachineArn": stack[machine], "input": json.dumps({"of": of})}
        root = aws.call("stepfunctions", "start_execution", **started)
        tasks = aws.invocations("second", of, 2)
        roots[machine] = root, {fields(task["trace"])["Root"] for task in tasks}

    root, of_tasks = roots["TracedMachine"]
    assert of_tasks == {root}
    assert aws.root_of("Inbox", "execution-of-TracedMachine") is None  # an event of AWS's own
    root, of_tasks = roots["Machine"]
    assert len(of_tasks) == 2
    assert root not in of_tasks
