"""Tables of Glue: what Athena reads of them, and what Firehose writes into one of Iceberg."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from local.support import REGION, RUNTIME

from sls_patterns_cli.cloudformation.document import Template, read
from sls_patterns_cli.local import deploy, query_packages
from sls_patterns_cli.local.emulator.server import QUERY_PACKAGES, Emulator
from sls_patterns_cli.local.languages.interpreters import Interpreter
from sls_patterns_cli.terminal.progress import Progress

BODY = """
Resources:
  Lake: {Type: AWS::S3::Bucket}
  Database: {Type: AWS::Glue::Database, Properties: {DatabaseInput: {Name: lake}}}
  WorkGroup:
    Type: AWS::Athena::WorkGroup
    Properties:
      Name: lake
      WorkGroupConfiguration: {ManagedQueryResultsConfiguration: {Enabled: true}}
  Lines:
    Type: AWS::Glue::Table
    Properties:
      DatabaseName: !Ref Database
      TableInput:
        Name: lines
        PartitionKeys: [{Name: date, Type: string}, {Name: hour, Type: string}]
        Parameters:
          projection.enabled: "true"
          projection.date.type: date
          projection.date.format: yyyy-MM-dd
          projection.date.range: 2025-01-01,NOW
          projection.hour.type: integer
          projection.hour.range: 0,23
          projection.hour.digits: "2"
          storage.location.template: !Sub s3://${Lake}/lines/date=${!date}/hour=${!hour}/
        StorageDescriptor:
          Location: !Sub s3://${Lake}/lines/
          Columns: [{Name: id, Type: string}]
  Rows:
    Type: AWS::Glue::Table
    Properties:
      DatabaseName: !Ref Database
      OpenTableFormatInput: {IcebergInput: {MetadataOperation: CREATE, Version: "2"}}
      TableInput:
        Name: rows
        StorageDescriptor:
          Location: !Sub s3://${Lake}/rows
          Columns: [{Name: id, Type: string}, {Name: amount, Type: bigint}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: firehose.amazonaws.com}, Action: sts:AssumeRole}
      Policies:
        - PolicyName: write
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: "s3:*", Resource: "*"}
              - {Effect: Allow, Action: "glue:*", Resource: "*"}
  Delivery:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      DeliveryStreamType: DirectPut
      IcebergDestinationConfiguration:
        RoleARN: !GetAtt Role.Arn
        CatalogConfiguration:
          CatalogArn: !Sub arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:catalog
        DestinationTableConfigurationList:
          - {DestinationDatabaseName: !Ref Database, DestinationTableName: !Ref Rows}
        S3Configuration:
          RoleARN: !GetAtt Role.Arn
          BucketARN: !GetAtt Lake.Arn
          ErrorOutputPrefix: errors/!{firehose:error-output-type}/
          CompressionFormat: GZIP
Outputs:
  Bucket: {Value: !Ref Lake}
  Delivery: {Value: !Ref Delivery}
"""
"""Its role may do everything: which actions it needs is the contract's."""


Query = Callable[[str], list[list[str]]]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    file = tmp_path_factory.mktemp("templates") / "template.yaml"
    file.write_text(BODY)
    return read(file)


@pytest.fixture(scope="module")
def emulator(
    interpreter: Interpreter, template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    work = tmp_path_factory.mktemp("work")
    query_packages.install_if_needed(work, template, Progress())
    settings = {QUERY_PACKAGES: str(query_packages.folder(work))}
    with Emulator(REGION, {RUNTIME: interpreter.executable}, settings) as running:
        yield running


@pytest.fixture(scope="module")
def outputs(emulator: Emulator, template: Template) -> dict[str, str]:
    return deploy.deploy(emulator, "lake", template)


@pytest.fixture(scope="module")
def query(emulator: Emulator) -> Query:
    """Return the rows of an answer of Athena's."""
    athena = emulator.client("athena")

    def rows(sql: str) -> list[list[str]]:
        started = athena.start_query_execution(
            QueryString=sql, WorkGroup="lake", QueryExecutionContext={"Database": "lake"}
        )
        query_id = started["QueryExecutionId"]
        until(lambda: state(query_id) not in {"QUEUED", "RUNNING"})
        found = athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]["Rows"]
        return [[cell.get("VarCharValue", "") for cell in row["Data"]] for row in found[1:]]

    def state(query_id: str) -> str:
        execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        return str(execution["Status"]["State"])

    return rows


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def put_lines(emulator: Emulator, bucket: str, folder: str, name: str) -> None:
    content = gzip.compress(f'{{"id": "{name}", "other": 1}}\n'.encode())
    emulator.client("s3").put_object(Bucket=bucket, Key=f"{folder}/{name}.gz", Body=content)


def put_rows(emulator: Emulator, outputs: dict[str, str], *rows: Any) -> None:
    records = [{"Data": json.dumps(row).encode()} for row in rows]
    emulator.client("firehose").put_record_batch(
        DeliveryStreamName=outputs["Delivery"], Records=records
    )


def refused(emulator: Emulator, outputs: dict[str, str]) -> list[dict[str, Any]]:
    s3, place = emulator.client("s3"), {"Bucket": outputs["Bucket"]}
    listed = s3.list_objects_v2(**place, Prefix="errors/iceberg-failed/").get("Contents", [])
    texts = [s3.get_object(**place, Key=each["Key"])["Body"].read() for each in listed]
    return [json.loads(line) for text in texts for line in gzip.decompress(text).splitlines()]


def test_only_folders_that_are_computed_are_read_and_results_need_no_place(
    emulator: Emulator, outputs: dict[str, str], query: Query
) -> None:
    now = datetime.now(UTC)
    today, tomorrow = (f"{now + timedelta(days=days):%Y-%m-%d}" for days in (0, 2))
    for folder, name in (
        (f"date={today}/hour=07", "read"),
        (f"date={today}/hour=7", "without-digits"),
        (f"date={today}/hour=24", "beyond-its-range"),
        (f"date={tomorrow}/hour=07", "to-come"),
        ("date=2024-12-31/hour=07", "too-early"),
        (f"dt={today}/hour=07", "elsewhere"),
    ):
        put_lines(emulator, outputs["Bucket"], f"lines/{folder}", name)

    assert query("SELECT * FROM lines") == [["read", today, "07"]]


def test_rows_that_fit_are_written_and_the_others_kept(
    emulator: Emulator, outputs: dict[str, str], query: Query
) -> None:
    put_rows(
        emulator,
        outputs,
        {"id": "fits", "amount": 1},
        {"id": "no-amount"},
        {"id": "no-number", "amount": "much"},
        "no object",
    )

    until(lambda: len(refused(emulator, outputs)) == 3)
    until(lambda: query("SELECT id, amount FROM rows") == [["fits", "1"]])
    assert {each["errorCode"] for each in refused(emulator, outputs)} == {
        "Iceberg.MissingColumnWithinRecord",
        "Iceberg.InvalidDataType",
        "Iceberg.InvalidJson",
    }


def test_columns_change_by_athena_and_what_was_written_stays(
    emulator: Emulator, outputs: dict[str, str], query: Query
) -> None:
    put_rows(emulator, outputs, {"id": "before", "amount": 1})
    until(lambda: ["before"] in query("SELECT id FROM rows"))

    query("ALTER TABLE rows ADD COLUMNS (place string)")
    put_rows(emulator, outputs, {"id": "after", "amount": 2, "place": "here"})

    until(lambda: ["after", "here"] in query("SELECT id, place FROM rows"))
    assert ["before", ""] in query("SELECT id, place FROM rows")
    query("ALTER TABLE rows DROP COLUMN place")


def test_an_update_by_cloudformation_takes_the_table_away(
    emulator: Emulator, template: Template, outputs: dict[str, str]
) -> None:
    """O54: the place of its metadata is no property of the template."""
    glue = emulator.client("glue")

    def parameters() -> dict[str, str]:
        found: dict[str, str] = glue.get_table(DatabaseName="lake", Name="rows")["Table"].get(
            "Parameters", {}
        )
        return found

    assert parameters()["table_type"] == "ICEBERG"
    changed = json.loads(json.dumps(template))
    changed["Resources"]["Rows"]["Properties"]["TableInput"]["Parameters"] = {"owner": "somebody"}

    assert deploy.deploy(emulator, "lake", changed) == outputs

    assert parameters() == {"owner": "somebody"}
