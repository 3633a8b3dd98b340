"""Batches that a Redshift warehouse has refused: its services are answered for by a server here."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from letters.conftest import Letters, bodies
from local.support import Client, DeployStack, wait_until

STACK = """
Resources:
  Lake:
    Type: AWS::S3::Bucket
    Properties:
      NotificationConfiguration: {EventBridgeConfiguration: {EventBridgeEnabled: true}}
  IsRefused:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [aws.s3], detail: {bucket: {name: [!Ref Lake]}}}
      Targets: [{Id: queue, Arn: !GetAtt Refused.Arn}]
  Refused: {Type: "AWS::SQS::Queue"}
  MaySend:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Refused]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt Refused.Arn
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Action: "sts:AssumeRole", Principal: {Service: firehose.amazonaws.com}}
  Batches:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      DESTINATION
Outputs:
  Lake: {Value: !Ref Lake}
  Refused: {Value: !Ref Refused}
"""
IN_BUCKET = "{BucketARN: !GetAtt Lake.Arn, RoleARN: !GetAtt Role.Arn}"
TO_BUCKET = f"S3DestinationConfiguration: {IN_BUCKET}"
TO_WAREHOUSE = f"RedshiftDestinationConfiguration: {{S3Configuration: {IN_BUCKET}}}"
SERVERLESS = (
    "jdbc:redshift://sales.123456789012.eu-west-1.redshift-serverless.amazonaws.com:5439/dw"
)
CLUSTER = "jdbc:redshift://sales.abc.eu-west-1.redshift.amazonaws.com:5439/dw"
COPY = "COPY events FROM 's3://{}/errors/manifests/1' IAM_ROLE default MANIFEST GZIP"
MANIFEST = {"entries": [{"url": "s3://lake/batch.gz", "mandatory": True}]}


class Warehouse:
    """What the services answer, and what they were told."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.address = SERVERLESS
        self.ended = {"Status": "FINISHED"}
        self.told: list[dict[str, Any]] = []
        self.endpoints: dict[str, str] = {}

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        if operation == "DescribeDeliveryStream":
            destination = {
                "DestinationId": "1",
                "RedshiftDestinationDescription": {
                    "ClusterJDBCURL": self.address,
                    "CopyCommand": {"DataTableName": "events", "CopyOptions": "GZIP"},
                    "S3DestinationDescription": {"BucketARN": f"arn:aws:s3:::{self.bucket}"},
                },
            }
            return {"DeliveryStreamDescription": {"Destinations": [destination]}}
        if operation == "ExecuteStatement":
            self.told.append(given)
            return {"Id": "1"}
        answers: dict[str, dict[str, Any]] = {
            "GetWorkgroup": {"workgroup": {"namespaceName": "sales"}},
            "GetNamespace": {"namespace": {"adminPasswordSecretArn": "arn:admin"}},
            "DescribeStatement": {"Id": "1", **self.ended},
        }
        return answers[operation]


@pytest.fixture(scope="module")
def outputs(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK.replace("DESTINATION", TO_BUCKET), "warehouse")


@pytest.fixture
def warehouse(outputs: dict[str, str]) -> Iterator[Warehouse]:
    warehouse = Warehouse(outputs["Lake"])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["content-length"])))
            operation = self.headers["x-amz-target"].rpartition(".")[2]
            body = json.dumps(warehouse.answer(operation, given)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for service in ("FIREHOSE", "REDSHIFT_DATA", "REDSHIFT_SERVERLESS"):
            address = f"http://127.0.0.1:{server.server_port}"
            warehouse.endpoints[f"AWS_ENDPOINT_URL_{service}"] = address
        yield warehouse
        server.shutdown()


@pytest.fixture
def redrive(
    letters: Letters, outputs: dict[str, str], client: Client, warehouse: Warehouse, tmp_path: Path
) -> Any:
    """Keeps a manifest, and sends it back; returns the verdicts, the reasons and the exit code."""
    template = tmp_path / "template.yaml"
    template.write_text(STACK.replace("DESTINATION", TO_WAREHOUSE))
    bodies(client, outputs["Refused"])
    client("s3").put_object(
        Bucket=outputs["Lake"], Key="errors/manifests/1", Body=json.dumps(MANIFEST)
    )
    name = "ApproximateNumberOfMessages"
    counting = {"QueueUrl": outputs["Refused"], "AttributeNames": [name]}
    wait_until(lambda: client("sqs").get_queue_attributes(**counting)["Attributes"][name] == "1")

    def run() -> tuple[dict[str, int], list[str], int]:
        given = (template, "--stack", "warehouse", "--all", "--yes", "--json")
        done = letters("redrive", *given, **warehouse.endpoints)
        assert done.stdout, done.stderr
        (report,) = json.loads(done.stdout)
        counts = {verdict: count for verdict, count in report["verdicts"].items() if count}
        return counts, [each["reason"] for each in report["letters"]], done.returncode

    return run


def test_a_refused_batch_is_loaded_by_its_manifest(
    redrive: Any, warehouse: Warehouse, outputs: dict[str, str], client: Client
) -> None:
    assert redrive() == ({"processed": 1}, [], 0)

    (told,) = warehouse.told
    assert told["Sql"] == COPY.format(outputs["Lake"])
    given = {name: told[name] for name in ("WorkgroupName", "Database", "SecretArn")}
    assert given == {"WorkgroupName": "sales", "Database": "dw", "SecretArn": "arn:admin"}
    assert bodies(client, outputs["Refused"]) == []


def test_a_batch_that_is_refused_again_stays(
    redrive: Any, warehouse: Warehouse, outputs: dict[str, str], client: Client
) -> None:
    warehouse.ended = {"Status": "FAILED", "Error": "see sys_load_error_detail"}

    assert redrive() == ({"failed-again": 1}, ["see sys_load_error_detail"], 1)
    assert len(bodies(client, outputs["Refused"])) == 1


def test_who_has_a_cluster_is_told_the_statement(
    redrive: Any, warehouse: Warehouse, outputs: dict[str, str]
) -> None:
    warehouse.address = CLUSTER

    statement = COPY.format(outputs["Lake"])
    reason = f"only a serverless warehouse is told by this; tell yours: {statement}"
    assert redrive() == ({"kept": 1}, [reason], 1)
    assert warehouse.told == []
