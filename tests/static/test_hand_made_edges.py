"""What `make lint` runs notices an asynchronous edge that is added to a project without an end."""

import json
import re
from pathlib import Path

import pytest
from command import Cli
from rendering import render_project
from synthesis import template_file

# Of each, the lines with the word END give what fails a place to go.
SAM = """
  JobsQueue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 30
      RedrivePolicy: # END
        deadLetterTargetArn: !GetAtt AuditDeadLetterQueue.Arn # END
        maxReceiveCount: 5 # END
  JobsStream:
    Type: AWS::Kinesis::Stream
  JobsFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      InlineCode: pass
      Events:
        Queue:
          Type: SQS
          Properties:
            Queue: !GetAtt JobsQueue.Arn
        Stream:
          Type: Kinesis
          Properties:
            Stream: !GetAtt JobsStream.Arn
            StartingPosition: LATEST
            DestinationConfig: {OnFailure: {Destination: !GetAtt AuditDeadLetterQueue.Arn}} # END
  ReportFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      InlineCode: pass
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt AuditDeadLetterQueue.Arn} # END
      Events:
        Orders:
          Type: SNS
          Properties:
            Topic: !Ref OrdersTopic
            RedrivePolicy: {deadLetterTargetArn: !GetAtt AuditDeadLetterQueue.Arn} # END
  NightlyRule:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 day)
      Targets:
        - Id: audit
          Arn: !GetAtt AuditFunction.Arn
          DeadLetterConfig: {Arn: !GetAtt AuditDeadLetterQueue.Arn} # END
  ReportsSubscription:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref OrdersTopic
      Protocol: https
      Endpoint: https://reports.example.com
      RedrivePolicy: {deadLetterTargetArn: !GetAtt AuditDeadLetterQueue.Arn} # END
  PeopleSubscription:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref OrdersTopic
      Protocol: email
      Endpoint: people@example.com
"""
PYTHON = """
        from aws_cdk import aws_events, aws_events_targets, aws_kinesis, aws_lambda_event_sources
        end = self._dead_letter_queue("HandMadeDeadLetterQueue")
        made = {
            "code": lambda_.Code.from_inline("handler = print"),
            "handler": "index.handler",
            "runtime": lambda_.Runtime.PYTHON_3_13,
        }
        jobs = lambda_.Function(self, "Jobs", **made)
        queue = sqs.Queue(
            self,
            "JobsQueue",
            dead_letter_queue=sqs.DeadLetterQueue(queue=end, max_receive_count=5),  # END
        )
        jobs.add_event_source(aws_lambda_event_sources.SqsEventSource(queue))
        jobs.add_event_source(
            aws_lambda_event_sources.KinesisEventSource(
                aws_kinesis.Stream(self, "JobsStream"),
                starting_position=lambda_.StartingPosition.LATEST,
                on_failure=aws_lambda_event_sources.SqsDlq(end),  # END
            )
        )
        report = lambda_.Function(
            self,
            "Report",
            **made,
            dead_letter_queue=end,  # END
        )
        orders_topic.add_subscription(
            subscriptions.LambdaSubscription(
                report,
                dead_letter_queue=end,  # END
            )
        )
        rule = aws_events.Rule(
            self, "NightlyRule", schedule=aws_events.Schedule.rate(cdk.Duration.days(1))
        )
        rule.add_target(
            aws_events_targets.LambdaFunction(
                audit_function,
                dead_letter_queue=end,  # END
            )
        )
        orders_topic.add_subscription(
            subscriptions.UrlSubscription(
                "https://reports.example.com",
                dead_letter_queue=end,  # END
            )
        )
        orders_topic.add_subscription(subscriptions.EmailSubscription("people@example.com"))
"""
TYPESCRIPT = """
    const end = this.deadLetterQueue("HandMadeDeadLetterQueue");
    const made = {
      code: lambda.Code.fromInline("exports.handler = console.log"),
      handler: "index.handler",
      runtime: lambda.Runtime.NODEJS_24_X,
    };
    const jobs = new lambda.Function(this, "Jobs", made);
    const queue = new sqs.Queue(this, "JobsQueue", {
      deadLetterQueue: { queue: end, maxReceiveCount: 5 }, // END
    });
    jobs.addEventSource(new sources.SqsEventSource(queue));
    jobs.addEventSource(
      new sources.KinesisEventSource(new kinesis.Stream(this, "JobsStream"), {
        startingPosition: lambda.StartingPosition.LATEST,
        onFailure: new sources.SqsDlq(end), // END
      }),
    );
    const report = new lambda.Function(this, "Report", {
      ...made,
      deadLetterQueue: end, // END
    });
    ordersTopic.addSubscription(
      new subscriptions.LambdaSubscription(report, {
        deadLetterQueue: end, // END
      }),
    );
    const rule = new events.Rule(this, "NightlyRule", {
      schedule: events.Schedule.rate(cdk.Duration.days(1)),
    });
    rule.addTarget(
      new targets.LambdaFunction(auditFunction, {
        deadLetterQueue: end, // END
      }),
    );
    ordersTopic.addSubscription(
      new subscriptions.UrlSubscription("https://reports.example.com", {
        deadLetterQueue: end, // END
      }),
    );
    ordersTopic.addSubscription(new subscriptions.EmailSubscription("people@example.com"));
"""
IMPORTS = """
import * as events from "aws-cdk-lib/aws-events";
import * as targets from "aws-cdk-lib/aws-events-targets";
import * as kinesis from "aws-cdk-lib/aws-kinesis";
import * as sources from "aws-cdk-lib/aws-lambda-event-sources";
"""
HASH = "[0-9A-F]{8}"
WITHOUT_END = {
    "sam": (
        *("JobsQueue", "JobsFunctionStream", "ReportFunction", "ReportFunctionOrders"),
        *("NightlyRule", "ReportsSubscription"),
    ),
    "cdk": (
        *(f"JobsQueue{HASH}", rf"JobsKinesisEventSource\w*{HASH}", f"Report{HASH}"),
        *(f"ReportOrdersTopic{HASH}", f"NightlyRule{HASH}"),
        f"OrdersTopichttpsreportsexamplecom{HASH}",
    ),
}
"""The logical ids of what has none, as regular expressions."""


def project_with_edges(runtime: str, iac: str, folder: Path, *, ended: bool) -> Path:
    """Render a project, and add edges to its infrastructure as a person does."""
    project = render_project(
        folder / "project", pattern="notifier", topology="sns", runtime=runtime, iac=iac
    )
    file, before, edges = {
        ("python", "sam"): ("template.yaml", "\n  PublishFunction:\n", SAM),
        ("typescript", "sam"): ("template.yaml", "\n  PublishFunction:\n", SAM),
        ("python", "cdk"): ("infrastructure/stack.py", "\n    def _function", PYTHON),
        ("typescript", "cdk"): ("infrastructure/stack.ts", "\n  }\n\n  private ", TYPESCRIPT),
    }[runtime, iac]
    if not ended:
        edges = "".join(line for line in edges.splitlines(keepends=True) if "END" not in line)
    text = (project / file).read_text()
    assert before in text
    text = text.replace(before, edges + before, 1)
    (project / file).write_text(IMPORTS + text if edges.startswith("\n    const") else text)
    return project


def without_end(project: Path, cli: Cli) -> list[str]:
    """Return what `make lint` says is lost: the ids of what names no end."""
    told = cli("check", "--strict", "--json", str(template_file(project)))
    findings = json.loads(told.stdout)["findings"]
    lost = [each["resource"] for each in findings if each["rule"].startswith("SP1")]
    assert not lost or told.returncode == 1
    return lost


@pytest.mark.parametrize(
    ("runtime", "iac"),
    [
        ("python", "sam"),
        ("typescript", "cdk"),
        pytest.param("python", "cdk", marks=pytest.mark.exhaustive),
        pytest.param("typescript", "sam", marks=pytest.mark.exhaustive),
    ],
)
def test_an_edge_without_end_is_found_and_named(
    runtime: str, iac: str, cli: Cli, tmp_path: Path
) -> None:
    project = project_with_edges(runtime, iac, tmp_path, ended=False)

    found = without_end(project, cli)

    assert len(found) == len(WITHOUT_END[iac])
    for name in WITHOUT_END[iac]:
        assert any(re.fullmatch(name, each) for each in found), (name, found)


@pytest.mark.exhaustive
@pytest.mark.parametrize("iac", ["sam", "cdk"])
@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_the_same_edges_with_ends_have_one(
    runtime: str, iac: str, cli: Cli, tmp_path: Path
) -> None:
    project = project_with_edges(runtime, iac, tmp_path, ended=True)

    assert without_end(project, cli) == []
