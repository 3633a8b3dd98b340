"""State machines: started by an HTTP API, and their results in a bucket."""

import json
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError
from local.support import Client, DeployStack, wait_until

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator.adapters.lambda_ import environment_starts
from sls_patterns_cli.local.emulator.server import Emulator

API = """
  {name}:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefinitionBody:
        openapi: "3.0.1"
        info: {{title: {name}, version: "1"}}
        paths:
          /jobs/{{id}}:
            put:
              x-amazon-apigateway-integration:
                type: aws_proxy
                integrationSubtype: StepFunctions-StartExecution
                payloadFormatVersion: "1.0"
                credentials: !GetAtt {role}.Arn
                requestParameters:
                  StateMachineArn: !Ref Machine
                  Name: $request.path.id
                  Input: $request.body
          /jobs:
            post:
              x-amazon-apigateway-integration:
                type: aws_proxy
                integrationSubtype: StepFunctions-StartExecution
                payloadFormatVersion: "1.0"
                credentials: !GetAtt {role}.Arn
                requestParameters:
                  StateMachineArn: !Ref Machine
                  Name: {given}
                  Input: $request.body
                responseParameters: {{"200": {{"overwrite:statuscode": "202"}}}}
"""
ROUTE = """
  Own: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: own, ProtocolType: HTTP}}
  OwnStage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Own, StageName: $default, AutoDeploy: true}
  OwnIntegration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Own
      IntegrationType: AWS_PROXY
      IntegrationSubtype: StepFunctions-StartExecution
      PayloadFormatVersion: "1.0"
      CredentialsArn: !GetAtt StartingRole.Arn
      RequestParameters: {StateMachineArn: !Ref Machine, Input: $request.body}
      ResponseParameters:
        "200": {ResponseParameters: [{Destination: "overwrite:statuscode", Source: "202"}]}
  OwnRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Own
      RouteKey: POST /jobs
      Target: !Sub integrations/${OwnIntegration}
"""
STACK = f"""
Resources:
  Bucket: {{Type: "AWS::S3::Bucket"}}
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !GetAtt MapRole.Arn
      DefinitionSubstitutions: {{Bucket: !Ref Bucket}}
      Definition:
        StartAt: Each
        States:
          Each:
            Type: Map
            End: true
            ItemsPath: $.numbers
            ToleratedFailurePercentage: 100
            ItemProcessor:
              ProcessorConfig: {{Mode: DISTRIBUTED, ExecutionType: EXPRESS}}
              StartAt: Odd
              States:
                Odd:
                  Type: Choice
                  Choices: [{{Variable: $, NumericEquals: 3, Next: "No"}}]
                  Default: "Yes"
                "Yes": {{Type: Pass, End: true}}
                "No": {{Type: Fail, Error: Three}}
            ResultWriter:
              Resource: arn:aws:states:::s3:putObject
              Parameters: {{Bucket: "${{Bucket}}", Prefix: results}}
            ResultPath: $.written
  Waiting:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !GetAtt Role.Arn
      Definition:
        StartAt: Wait
        States: {{Wait: {{Type: Wait, Seconds: 36000, End: true}}}}
  Failing:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !GetAtt Role.Arn
      Definition:
        StartAt: Fail
        States: {{Fail: {{Type: Fail, Error: Broken}}}}
  Express:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineType: EXPRESS
      RoleArn: !GetAtt LoggingRole.Arn
      LoggingConfiguration:
        Level: ERROR
        Destinations: [{{CloudWatchLogsLogGroup: {{LogGroupArn: !GetAtt Failures.Arn}}}}]
      Definition:
        StartAt: Fail
        States: {{Fail: {{Type: Fail, Error: Broken, Cause: as it should be}}}}
  Logging:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineType: EXPRESS
      RoleArn: !GetAtt LoggingRole.Arn
      LoggingConfiguration:
        Level: ALL
        Destinations: [{{CloudWatchLogsLogGroup: {{LogGroupArn: !GetAtt Events.Arn}}}}]
      Definition:
        StartAt: Pass
        States: {{Pass: {{Type: Pass, End: true}}}}
  Named:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineType: EXPRESS
      RoleArn: !GetAtt Role.Arn
      Definition:
        QueryLanguage: JSONata
        StartAt: Tell
        States:
          Tell: {{Type: Pass, Output: "{{% $states.context.Execution %}}", End: true}}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{AttributeName: id, AttributeType: S}}]
      KeySchema: [{{AttributeName: id, KeyType: HASH}}]
  Reading:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineType: EXPRESS
      RoleArn: !GetAtt TableRole.Arn
      DefinitionSubstitutions: {{Table: !Ref Table}}
      Definition:
        QueryLanguage: JSONata
        StartAt: Read
        States:
          Read: &read
            Type: Task
            Resource: arn:aws:states:::dynamodb:getItem
            Arguments: {{TableName: "${{Table}}", Key: {{id: {{S: one}}}}}}
            Next: Write
          Write:
            <<: *read
            Resource: arn:aws:states:::dynamodb:putItem
            Arguments: {{TableName: "${{Table}}", Item: {{id: {{S: one}}}}}}
            Next: Done
          Done: {{Type: Succeed}}
  TableRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {{Statement: []}}
      Policies:
        - PolicyName: read
          PolicyDocument:
            Statement: [{{Effect: Allow, Action: "dynamodb:GetItem", Resource: !GetAtt Table.Arn}}]
  Failures: {{Type: "AWS::Logs::LogGroup"}}
  Events: {{Type: "AWS::Logs::LogGroup"}}
  LoggingRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {{Statement: []}}
      Policies:
        - PolicyName: log
          PolicyDocument:
            Statement: [{{Effect: Allow, Action: "logs:CreateLogDelivery", Resource: "*"}}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: &ofApis
        Statement:
          - Effect: Allow
            Principal: {{Service: apigateway.amazonaws.com}}
            Action: sts:AssumeRole
  MapRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {{Statement: []}}
      Policies:
        - PolicyName: work
          PolicyDocument:
            Statement:
              - {{Effect: Allow, Action: "s3:PutObject", Resource: !Sub "${{Bucket.Arn}}/*"}}
  MapPolicy:
    Type: AWS::IAM::Policy
    Properties:
      Roles: [!Ref MapRole]
      PolicyName: map
      PolicyDocument:
        Statement:
          - {{Effect: Allow, Action: "states:StartExecution", Resource: !Ref Machine}}
  StartingRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: *ofApis
      Policies: &starting
        - PolicyName: start
          PolicyDocument:
            Statement:
              - {{Effect: Allow, Action: "states:StartExecution", Resource: !Ref Machine}}
  DemandingRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {{Service: apigateway.amazonaws.com}}
            Action: sts:AssumeRole
            Condition: {{StringEquals: {{"aws:SourceAccount": !Ref "AWS::AccountId"}}}}
      Policies: *starting
{API.format(name="Open", role="StartingRole", given="$request.header.x-name")}
{API.format(name="Closed", role="Role", given="$request.header.x-name")}
{API.format(name="Demanding", role="DemandingRole", given="$request.header.x-name")}
{ROUTE}
Outputs:
  Open: {{Value: !GetAtt Open.ApiEndpoint}}
  Closed: {{Value: !GetAtt Closed.ApiEndpoint}}
  Demanding: {{Value: !GetAtt Demanding.ApiEndpoint}}
  Own: {{Value: !GetAtt Own.ApiEndpoint}}
  Machine: {{Value: !Ref Machine}}
  Waiting: {{Value: !Ref Waiting}}
  Failing: {{Value: !Ref Failing}}
  Express: {{Value: !Ref Express}}
  Logging: {{Value: !Ref Logging}}
  Named: {{Value: !Ref Named}}
  Reading: {{Value: !Ref Reading}}
  Failures: {{Value: !Ref Failures}}
  Events: {{Value: !Ref Events}}
"""


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK)


def start(api: str, name: str, body: Any, path: str = "/jobs") -> tuple[int, Any]:
    return start_with(api, name, json.dumps(body).encode(), path)


def start_with(api: str, name: str, content: bytes, path: str = "/jobs") -> tuple[int, Any]:
    method = "POST" if path == "/jobs" else "PUT"
    request = Request(f"{api}{path}", content, {"X-Name": name}, method=method)  # noqa: S310
    with urlopen(request) as answer:  # noqa: S310 - of the emulator
        return answer.status, json.load(answer)


def described(states: Any, execution: str) -> Any:
    """The execution; at first there may be none."""
    with suppress(states.exceptions.ExecutionDoesNotExist):
        return states.describe_execution(executionArn=execution)
    return states.describe_execution(executionArn=execution)


def test_an_execution_that_runs_is_not_found_at_first(
    stack: dict[str, str], client: Client
) -> None:
    """Fact B15."""
    states = client("stepfunctions")
    started = states.start_execution(stateMachineArn=stack["Waiting"], name="late")
    execution = {"executionArn": started["executionArn"]}

    with pytest.raises(states.exceptions.ExecutionDoesNotExist):
        states.describe_execution(**execution)

    assert states.describe_execution(**execution)["status"] == "RUNNING"
    states.stop_execution(**execution)


def test_an_api_starts_an_execution_with_name_and_input_of_the_request(
    stack: dict[str, str], client: Client
) -> None:
    status, answer = start(stack["Open"], "one", {"numbers": []})

    assert status == 202
    execution = described(client("stepfunctions"), answer["executionArn"])
    assert execution["name"] == "one"
    assert json.loads(execution["input"]) == {"numbers": []}


def test_an_integration_may_be_a_resource_of_its_own(stack: dict[str, str], client: Client) -> None:
    status, answer = start(stack["Own"], "", {"numbers": []})

    assert status == 202
    execution = described(client("stepfunctions"), answer["executionArn"])
    assert json.loads(execution["input"]) == {"numbers": []}


def test_a_subtype_that_is_not_known_here_fails_the_deploy(deploy_stack: DeployStack) -> None:
    with pytest.raises(UserError, match="SQS-PurgeQueue integrations are not served"):
        deploy_stack(
            STACK.replace(
                "IntegrationSubtype: StepFunctions-StartExecution",
                "IntegrationSubtype: SQS-PurgeQueue",
            )
        )


def test_an_api_names_an_execution_by_a_parameter_of_the_path(stack: dict[str, str]) -> None:
    _, answer = start(stack["Open"], "unused", {"numbers": []}, path="/jobs/seven")

    assert answer["executionArn"].endswith(":seven")


def test_a_running_execution_is_started_again_only_with_its_name_and_input(
    stack: dict[str, str], client: Client
) -> None:
    states = client("stepfunctions")
    again = {"stateMachineArn": stack["Waiting"], "name": "once", "input": '{"a": 1, "b": 2}'}

    first = states.start_execution(**again)
    second = states.start_execution(**again | {"input": '{"b": 2, "a": 1}'})

    assert second["executionArn"] == first["executionArn"]
    assert second["startDate"] == first["startDate"]
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(**again | {"input": '{"a": 2}'})

    states.stop_execution(executionArn=first["executionArn"])

    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(**again)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "InvalidExecutionInput"),
        (b'{"a": NaN}', "InvalidExecutionInput"),
        (b"[" * 20_000 + b"]" * 20_000, "InvalidExecutionInput"),
        (b'"\xff"', None),
        (b'"' + b"a" * 262_142 + b'"', None),
        (b'"' + b"a" * 262_143 + b'"', "ValidationException"),
        (b'"' + "é".encode() * 131_072 + b'"', "ValidationException"),
    ],
)
def test_an_execution_starts_only_with_json_of_256_kib_at_most(
    stack: dict[str, str], body: bytes, error: str | None
) -> None:
    if error is None:
        assert start_with(stack["Own"], "", body)[0] == 202
        return
    with pytest.raises(HTTPError) as refused:
        start_with(stack["Own"], "", body)
    assert refused.value.code == 400
    assert error in refused.value.read().decode()


def test_an_express_execution_starts_only_with_json(
    stack: dict[str, str], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")  # no host sync-127.0.0.1
    states = emulator.client("stepfunctions")

    with pytest.raises(states.exceptions.InvalidExecutionInput):
        states.start_sync_execution(stateMachineArn=stack["Express"], input="{")


@pytest.mark.parametrize(
    ("name", "error"), [("n" * 81, "ValidationException"), ("a b", "InvalidName")]
)
def test_an_execution_starts_only_with_a_name_that_may_be_one(
    name: str,
    error: str,
    stack: dict[str, str],
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fact R8."""
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")  # no host sync-127.0.0.1
    states = emulator.client("stepfunctions")

    with pytest.raises(ClientError, match=error):
        states.start_execution(stateMachineArn=stack["Waiting"], name=name)
    with pytest.raises(ClientError, match=error):
        states.start_sync_execution(stateMachineArn=stack["Express"], name=name)


def test_an_execution_is_asked_for_by_an_arn_of_256_characters_at_most(
    stack: dict[str, str], client: Client
) -> None:
    """Fact R8."""
    executions = stack["Waiting"].replace(":stateMachine:", ":execution:")
    states = client("stepfunctions")

    with pytest.raises(states.exceptions.ExecutionDoesNotExist):
        states.describe_execution(executionArn=f"{executions}:".ljust(256, "n"))
    with pytest.raises(states.exceptions.ValidationException):
        states.describe_execution(executionArn=f"{executions}:".ljust(257, "n"))


def test_an_execution_that_failed_has_no_output(stack: dict[str, str], client: Client) -> None:
    states = client("stepfunctions")
    started = states.start_execution(stateMachineArn=stack["Failing"])

    def failed() -> Any:
        execution = described(states, started["executionArn"])
        return execution if execution["status"] == "FAILED" else None

    execution = wait_until(failed)

    assert execution["error"] == "Broken"
    assert execution.get("output") is None


def test_an_express_execution_that_failed_is_in_the_log_of_its_machine(
    stack: dict[str, str], emulator: Emulator, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")  # no host sync-127.0.0.1
    states = emulator.client("stepfunctions")

    answer = states.start_sync_execution(stateMachineArn=stack["Express"], name="express")

    assert (answer["status"], answer["error"], answer.get("output")) == ("FAILED", "Broken", None)
    (event,) = client("logs").filter_log_events(logGroupName=stack["Failures"])["events"]
    logged = json.loads(event["message"])
    assert logged["type"] == "ExecutionFailed"
    assert logged["details"] == {"error": "Broken", "cause": "as it should be"}
    assert logged["execution_arn"] == answer["executionArn"]


def test_an_express_machine_logs_each_event_at_the_level_all(
    stack: dict[str, str], emulator: Emulator, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")  # no host sync-127.0.0.1

    emulator.client("stepfunctions").start_sync_execution(stateMachineArn=stack["Logging"])

    events = client("logs").filter_log_events(logGroupName=stack["Events"])["events"]
    logged = [json.loads(event["message"])["type"] for event in events]
    assert logged == ["PassStateEntered", "PassStateExited", "ExecutionSucceeded"]


def test_express_executions_of_one_name_are_told_apart(
    stack: dict[str, str], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")  # no host sync-127.0.0.1
    states = emulator.client("stepfunctions")

    answers = [
        states.start_sync_execution(stateMachineArn=stack["Named"], name="twice") for _ in range(2)
    ]

    arns = [answer["executionArn"] for answer in answers]
    assert arns[0] != arns[1]
    for answer in answers:
        assert ":express:" in answer["executionArn"]
        execution = json.loads(answer["output"])
        assert (execution["Id"], execution["Name"]) == (answer["executionArn"], "twice")


def test_a_task_reads_and_writes_a_table_only_as_its_role_may(
    stack: dict[str, str], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")  # no host sync-127.0.0.1
    states = emulator.client("stepfunctions")

    answer = states.start_sync_execution(stateMachineArn=stack["Reading"])

    assert answer["error"] == "DynamoDB.AmazonDynamoDBException"
    assert "not authorized to perform: dynamodb:PutItem" in answer["cause"]


def test_an_api_whose_role_may_not_start_it_answers_as_the_service_does(
    stack: dict[str, str],
) -> None:
    """Fact C11."""
    with pytest.raises(HTTPError) as refused:
        start(stack["Closed"], "two", {"numbers": []})
    assert refused.value.code == 400
    assert json.load(refused.value)["__type"] == "AccessDeniedException"


def test_an_api_whose_role_demands_to_know_its_account_fails(stack: dict[str, str]) -> None:
    with pytest.raises(HTTPError, match="500"):
        start(stack["Demanding"], "three", {"numbers": []})


def test_a_parameter_that_is_not_known_here_fails_the_deploy(deploy_stack: DeployStack) -> None:
    with pytest.raises(UserError, match=r"does not know the parameter \$request.path"):
        deploy_stack(STACK.replace("$request.header.x-name", "$request.path"))


def test_the_results_of_a_distributed_map_are_where_its_writer_says(
    stack: dict[str, str], client: Client
) -> None:
    states, s3 = client("stepfunctions"), client("s3")
    _, answer = start(stack["Open"], "three", {"numbers": [1, 2, 3]})

    def done() -> Any:
        execution = described(states, answer["executionArn"])
        return execution if execution["status"] != "RUNNING" else None

    execution = wait_until(done)

    assert execution["status"] == "SUCCEEDED", execution
    writer = json.loads(execution["output"])["written"]["ResultWriterDetails"]
    assert writer["Key"].startswith("results/")

    def read(key: str) -> Any:
        return json.load(s3.get_object(Bucket=writer["Bucket"], Key=key)["Body"])

    files = read(writer["Key"])["ResultFiles"]
    (succeeded,), (failed,) = files["SUCCEEDED"], files["FAILED"]
    assert sorted(part["Output"] for part in read(succeeded["Key"])) == ["1", "2"]
    assert [(part["Input"], part["Error"]) for part in read(failed["Key"])] == [("3", "Three")]


TIMED = """
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import time
        def handler(event, context):
            time.sleep(event)
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionSubstitutions: {Function: !GetAtt Function.Arn}
      Policies:
        - Statement:
            - {Effect: Allow, Action: "lambda:InvokeFunction", Resource: !GetAtt Function.Arn}
      Definition:
        StartAt: Work
        States:
          Work: {Type: Task, Resource: "${Function}", TimeoutSeconds: 3, End: true}
Outputs: {Machine: {Value: !Ref Machine}}
"""


def test_a_task_is_timed_without_its_wait_for_an_environment(
    deploy_stack: DeployStack, client: Client
) -> None:
    """The burst takes far longer than a task may; a task that itself takes longer still fails."""
    machine = deploy_stack(TIMED)["Machine"]
    step_functions = client("stepfunctions")

    def run(seconds: float, count: int) -> list[str]:
        executions = [
            step_functions.start_execution(stateMachineArn=machine, input=str(seconds))
            for _ in range(count)
        ]

        def outcomes() -> list[str]:
            arns = [execution["executionArn"] for execution in executions]
            return [described(step_functions, arn)["status"] for arn in arns]

        wait_until(lambda: "RUNNING" not in outcomes(), 90)
        return outcomes()

    burst = 12 * environment_starts.FEW
    assert run(0.5, burst) == ["SUCCEEDED"] * burst
    assert run(6, 1) == ["FAILED"]


REDRIVEN = """
Resources:
  Count:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        count = 0
        def handler(event, context):
            global count
            count += 1
            return count
  Check:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {FAIL: "1"}}
      InlineCode: |
        import os
        def handler(event, context):
            assert os.environ["FAIL"] == "0"
            return event
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionSubstitutions: {Count: !GetAtt Count.Arn, Check: !GetAtt Check.Arn}
      Policies:
        - Statement: [{Effect: Allow, Action: "lambda:InvokeFunction", Resource: "*"}]
      Definition:
        QueryLanguage: JSONata
        StartAt: Count
        States:
          Count:
            Type: Task
            Resource: "${Count}"
            Assign: {counted: "{% $states.result %}"}
            Next: Check
          Check:
            Type: Task
            Resource: "${Check}"
            Arguments: {counted: "{% $counted %}"}
            End: true
Outputs: {Machine: {Value: !Ref Machine}, Check: {Value: !Ref Check}}
"""


def test_a_redrive_goes_on_with_the_task_that_failed(
    deploy_stack: DeployStack, client: Client
) -> None:
    stack, states = deploy_stack(REDRIVEN), client("stepfunctions")
    arn = states.start_execution(stateMachineArn=stack["Machine"], input="{}")["executionArn"]

    def ended() -> Any:
        execution = described(states, arn)
        return execution if execution["status"] != "RUNNING" else None

    failed = wait_until(ended)
    assert (failed["status"], failed["redriveStatus"]) == ("FAILED", "REDRIVABLE")
    client("lambda").update_function_configuration(
        FunctionName=stack["Check"], Environment={"Variables": {"FAIL": "0"}}
    )

    states.redrive_execution(executionArn=arn)

    done = wait_until(ended)
    assert (done["status"], done["redriveCount"]) == ("SUCCEEDED", 1)
    assert json.loads(done["output"]) == {"counted": 1}
    types = [e["type"] for e in states.get_execution_history(executionArn=arn)["events"]]
    assert types.count("TaskSucceeded") == 2
    assert types[types.index("ExecutionRedriven") + 1] == "TaskScheduled"
    with pytest.raises(states.exceptions.ExecutionNotRedrivable):
        states.redrive_execution(executionArn=arn)


RETRIED = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Fail:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            raise RuntimeError
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionSubstitutions: {Fail: !GetAtt Fail.Arn}
      Policies:
        - Statement: [{Effect: Allow, Action: "lambda:InvokeFunction", Resource: "*"}]
      Definition:
        StartAt: Fail
        States:
          Fail:
            Type: Task
            Resource: "${Fail}"
            Retry: [{ErrorEquals: [States.ALL], IntervalSeconds: 60, MaxAttempts: 4}]
            End: true
Outputs: {Machine: {Value: !Ref Machine}}
"""


def test_an_execution_that_is_stopped_does_nothing_more(
    deploy_stack: DeployStack, client: Client
) -> None:
    stack, states = deploy_stack(RETRIED), client("stepfunctions")

    def started() -> str:
        return str(states.start_execution(stateMachineArn=stack["Machine"])["executionArn"])

    def types(arn: str) -> list[str]:
        return [e["type"] for e in states.get_execution_history(executionArn=arn)["events"]]

    stopped = started()
    wait_until(lambda: "TaskFailed" in types(stopped))

    states.stop_execution(executionArn=stopped)

    events, other = types(stopped), started()
    wait_until(lambda: described(states, other)["status"] == "FAILED")
    assert (described(states, stopped)["status"], types(stopped)) == ("ABORTED", events)
    assert types(other).count("TaskFailed") == 5
