"""Map runs: lines of an object as batches, tolerated failures, result files and redrives."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from local.support import REGION, Client, DeployStack, ended, objects, seen

STACK = """
Resources:
  Jobs: {Type: "AWS::S3::Bucket"}
  Results: {Type: "AWS::S3::Bucket"}
  Work:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json, os
        def handler(event, _context):
            rows = [item["id"] for item in event["Items"]]
            print("seen", json.dumps(rows), flush=True)
            if os.environ["BAD"] in rows:
                raise ValueError("a bad row")
            return [{"id": row, "job": event["BatchInput"]["job"]} for row in rows]
      Environment: {Variables: {BAD: bad}}
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !GetAtt Role.Arn
      DefinitionSubstitutions:
        Jobs: !Ref Jobs
        Results: !Ref Results
        Work: !GetAtt Work.Arn
      Definition:
        StartAt: Each
        States:
          Each:
            Type: Map
            Label: parts
            MaxConcurrency: 2
            ToleratedFailurePercentagePath: $.tolerated
            ItemReader:
              Resource: arn:aws:states:::s3:getObject
              ReaderConfig: {InputType: JSONL}
              Parameters: {Bucket: "${Jobs}", Key.$: $.key}
            ItemBatcher:
              MaxItemsPerBatch: 2
              MaxInputBytesPerBatch: 100
              BatchInput: {job.$: $.key}
            ItemProcessor:
              ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: KIND}
              StartAt: Part
              States:
                Part:
                  Type: Task
                  Resource: arn:aws:states:::lambda:invoke
                  Parameters: {FunctionName: "${Work}", Payload.$: $}
                  OutputPath: $.Payload
                  End: true
            ResultWriter:
              Resource: arn:aws:states:::s3:putObject
              Parameters: {Bucket: "${Results}", Prefix: run}
              WriterConfig: {Transformation: FLATTEN, OutputType: JSONL}
            End: true
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Statement: []}}
  Reader:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {AWS: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: read
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action: states:DescribeMapRun
                Resource: !Sub "arn:${AWS::Partition}:states:*:*:mapRun:${Machine.Name}/parts:*"
  Policy:
    Type: AWS::IAM::Policy
    Properties:
      Roles: [!Ref Role]
      PolicyName: map
      PolicyDocument:
        Statement:
          - {Effect: Allow, Action: "s3:GetObject", Resource: !Sub "${Jobs.Arn}/*"}
          - {Effect: Allow, Action: "s3:PutObject", Resource: !Sub "${Results.Arn}/*"}
          - {Effect: Allow, Action: "states:StartExecution", Resource: !Ref Machine}
          - {Effect: Allow, Action: "lambda:InvokeFunction", Resource: !GetAtt Work.Arn}
Outputs:
  Jobs: {Value: !Ref Jobs}
  Results: {Value: !Ref Results}
  Work: {Value: !Ref Work}
  Machine: {Value: !Ref Machine}
  Reader: {Value: !GetAtt Reader.Arn}
"""


def run(stack: dict[str, str], client: Client, text: str, tolerated: float = 0) -> Any:
    """Let the machine read an object with this text; return the execution once it has ended."""
    client("s3").put_object(Bucket=stack["Jobs"], Key="job", Body=text)
    given = json.dumps({"key": "job", "tolerated": tolerated})
    started = client("stepfunctions").start_execution(stateMachineArn=stack["Machine"], input=given)
    return ended(client, started["executionArn"])


def lines(*ids: str) -> str:
    return "".join(f'{{"id": "{each}"}}\n' for each in ids)


def map_run(client: Client, arn: str) -> Any:
    states = client("stepfunctions")
    (found,) = states.list_map_runs(executionArn=arn)["mapRuns"]
    return states.describe_map_run(mapRunArn=found["mapRunArn"])


def files(client: Client, stack: dict[str, str], arn: str) -> dict[str, list[Any]]:
    """Return what the manifest names, by status, line by line."""
    folder = f"run/{map_run(client, arn)['mapRunArn'].rpartition(':')[2]}"
    found = objects(client, stack["Results"])
    manifest = json.loads(found[f"{folder}/manifest.json"])
    assert manifest["DestinationBucket"] == stack["Results"]
    named = [each for of in manifest["ResultFiles"].values() for each in of]
    assert all(each["Size"] == len(found[each["Key"]]) for each in named)
    return {
        status: [
            json.loads(line) for each in of for line in found[each["Key"]].decode().splitlines()
        ]
        for status, of in manifest["ResultFiles"].items()
    }


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_lines_are_batches_and_their_results_lines_again(
    kind: str, deploy_stack: DeployStack, client: Client
) -> None:
    stack = deploy_stack(STACK.replace("KIND", kind))
    long = "x" * 60

    execution = run(stack, client, lines("a", "b", "c", long, "d") + "\n")

    # Two items at most, and a batch of at most 100 bytes: the long one is alone.
    arn = execution["executionArn"]
    assert sorted(map(json.loads, seen(client, stack["Work"]))) == [
        ["a", "b"],
        ["c"],
        ["d"],
        [long],
    ]
    results = [{"id": each, "job": "job"} for each in ("a", "b", "c", long, "d")]
    assert files(client, stack, arn) == {"SUCCEEDED": results, "FAILED": [], "PENDING": []}
    details = json.loads(execution["output"])["ResultWriterDetails"]
    assert details["Bucket"] == stack["Results"]
    assert details["Key"].endswith("/manifest.json")
    counts = map_run(client, arn)
    assert (counts["itemCounts"]["succeeded"], counts["executionCounts"]["succeeded"]) == (5, 4)
    assert "/parts:" in counts["mapRunArn"]


def test_failures_within_the_tolerated_percentage_are_kept_in_a_file(
    deploy_stack: DeployStack, client: Client
) -> None:
    stack = deploy_stack(STACK.replace("KIND", "STANDARD"))

    execution = run(stack, client, lines("a", "b", "bad", "c"), tolerated=50)

    assert execution["status"] == "SUCCEEDED"
    kept = files(client, stack, execution["executionArn"])
    (failed,) = kept["FAILED"]
    assert [each["id"] for each in kept["SUCCEEDED"]] == ["a", "b"]
    assert json.loads(failed["Input"])["Items"] == [{"id": "bad"}, {"id": "c"}]
    assert (failed["Status"], failed["Error"]) == ("FAILED", "ValueError")
    assert "a bad row" in failed["Cause"]


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_a_redrive_runs_only_what_has_not_succeeded(
    kind: str, deploy_stack: DeployStack, client: Client
) -> None:
    """With the first failure the map run starts nothing more; a redrive does, with the failure."""
    stack = deploy_stack(
        STACK.replace("KIND", kind).replace("MaxConcurrency: 2", "MaxConcurrency: 1")
    )
    execution = run(stack, client, lines("a", "b", "bad", "c", "d"))
    arn = execution["executionArn"]
    assert execution["error"] == "States.ExceedToleratedFailureThreshold"
    assert [len(each) for each in files(client, stack, arn).values()] == [2, 1, 1]
    client("lambda").update_function_configuration(
        FunctionName=stack["Work"], Environment={"Variables": {"BAD": "none"}}
    )

    client("stepfunctions").redrive_execution(executionArn=arn)

    assert ended(client, arn)["status"] == "SUCCEEDED"
    assert list(map(json.loads, seen(client, stack["Work"]))) == [
        ["a", "b"],
        ["bad", "c"],
        ["bad", "c"],
        ["d"],
    ]
    kept = files(client, stack, arn)
    assert [each["id"] for each in kept["SUCCEEDED"]] == ["a", "b", "bad", "c", "d"]
    assert (kept["FAILED"], map_run(client, arn)["redriveCount"]) == ([], 1)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"id": "a"}\nno JSON\n', "States.ItemReaderFailed"),
        (lines("x" * 262_144), "States.DataLimitExceeded"),
        ("\n", "States.ItemReaderFailed"),
    ],
    ids=["no JSON", "an item that is too large", "no items"],
)
def test_an_object_that_cannot_be_handed_on_fails_the_map(
    text: str, error: str, deploy_stack: DeployStack, client: Client
) -> None:
    stack = deploy_stack(STACK.replace("KIND", "STANDARD"))

    assert run(stack, client, text, tolerated=100)["error"] == error


CSV = "{InputType: CSV, CSVHeaderLocation: FIRST_ROW}"


def test_rows_of_csv_are_items_whose_values_are_texts(
    deploy_stack: DeployStack, client: Client
) -> None:
    machine = STACK.replace("KIND", "EXPRESS").replace("{InputType: JSONL}", CSV)
    stack = deploy_stack(machine)

    execution = run(stack, client, 'id,more\r\n1,x\r\n"a,b","""\n"\r\n3\r\n', tolerated=50)

    assert execution["status"] == "SUCCEEDED"
    assert sorted(map(json.loads, seen(client, stack["Work"]))) == [["1", "a,b"], ["3"]]
    assert map_run(client, execution["executionArn"])["itemCounts"]["succeeded"] == 3


@pytest.mark.parametrize(
    ("config", "text"),
    [(CSV, "id\n"), (CSV, ""), (CSV, "id,id\n1,2\n"), ("{InputType: CSV}", "id\n1\n")],
    ids=["a header alone", "nothing", "a name twice", "no place of the header"],
)
def test_csv_without_rows_or_with_a_wrong_header_fails_the_map(
    config: str, text: str, deploy_stack: DeployStack, client: Client
) -> None:
    machine = STACK.replace("KIND", "STANDARD").replace("{InputType: JSONL}", config)

    execution = run(deploy_stack(machine), client, text, tolerated=99)

    assert execution["error"] == "States.ItemReaderFailed"


@pytest.mark.parametrize("label", ["parts", "others"])
def test_a_map_run_is_described_to_who_may_describe_it(
    label: str, deploy_stack: DeployStack, client: Client
) -> None:
    definition = STACK.replace("KIND", "STANDARD").replace("Label: parts", f"Label: {label}")
    stack = deploy_stack(definition)
    described = map_run(client, run(stack, client, lines("a"))["executionArn"])["mapRunArn"]
    session = client("sts").assume_role(RoleArn=stack["Reader"], RoleSessionName="test")
    states = boto3.client(
        "stepfunctions",
        REGION,
        endpoint_url=client("stepfunctions").meta.endpoint_url,
        aws_access_key_id=session["Credentials"]["AccessKeyId"],
        aws_secret_access_key=session["Credentials"]["SecretAccessKey"],
        aws_session_token=session["Credentials"]["SessionToken"],
    )

    if label == "parts":
        assert states.describe_map_run(mapRunArn=described)["status"] == "SUCCEEDED"
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            states.describe_map_run(mapRunArn=described)
