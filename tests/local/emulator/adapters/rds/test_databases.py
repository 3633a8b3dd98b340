"""Aurora clusters: a server to connect to, for those that IAM lets sign in; custom resources."""

import json
import subprocess
from pathlib import Path

import pytest
from local.support import REGION, RUNTIME, Client, DeployStack, wait_until

from sls_patterns_cli.cloudformation.document import read
from sls_patterns_cli.cloudformation.sam import expand
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import deploy
from sls_patterns_cli.local.emulator.datastores import postgresql
from sls_patterns_cli.local.emulator.server import Emulator
from sls_patterns_cli.local.languages.interpreters import Interpreter

CLUSTER = """
Resources:
  Cluster:
    Type: AWS::RDS::DBCluster
    DeletionPolicy: Delete
    Properties:
      Engine: aurora-postgresql
      DatabaseName: orders
      EnableIAMDatabaseAuthentication: true
      MasterUsername: master
      MasterUserAuthenticationType: iam-db-auth
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Environment:
        Variables:
          PGHOST: !GetAtt Cluster.Endpoint.Address
          PGSSLMODE: require
          PGCONNECT_TIMEOUT: "30"
      InlineCode: |
        import os
        def handler(event, context):
            return [os.environ[name] for name in ("PGHOST", "PGSSLMODE", "PGCONNECT_TIMEOUT")]
Outputs:
  Host: {Value: !GetAtt Cluster.Endpoint.Address}
  Port: {Value: !GetAtt Cluster.Endpoint.Port}
  Cluster: {Value: !Ref Cluster}
  Function: {Value: !Ref Function}
"""

FAILING = """
Resources:
  Failed: {Type: AWS::SQS::Queue}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      EventInvokeConfig:
        MaximumRetryAttempts: 1
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}
      InlineCode: |
        import json, urllib.request
        def handler(event, context):
            answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
            answer |= {"Status": "SUCCESS", "PhysicalResourceId": "made"}
            urllib.request.urlopen(
                urllib.request.Request(
                    event["ResponseURL"], json.dumps(answer).encode(), method="PUT"
                )
            )
            raise RuntimeError("after its answer")
  Made:
    Type: Custom::Made
    DependsOn: FunctionEventInvokeConfig
    Properties: {ServiceToken: !GetAtt Function.Arn, ServiceTimeout: 20}
Outputs: {Failed: {Value: !Ref Failed}, Made: {Value: !Ref Made}}
"""


def query(port: str, user: str, statement: str) -> "subprocess.CompletedProcess[str]":
    """Sign in over TCP without a password, as a token would let IAM's users, and run one query."""
    address = ("-h", "127.0.0.1", "-p", port, "-U", user, "-d", "orders")
    return subprocess.run(
        [postgresql.binaries() / "psql", *address, "-Atc", statement],
        env={"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def outputs(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(CLUSTER, "cluster")


def test_its_endpoint_is_a_server_with_its_database(outputs: dict[str, str]) -> None:
    done = query(outputs["Port"], "master", "SELECT current_database(), 6 * 7")

    assert (outputs["Host"], done.stdout) == ("127.0.0.1", "orders|42\n")


def test_only_who_has_rds_iam_signs_in(outputs: dict[str, str]) -> None:
    port = outputs["Port"]
    assert query(port, "master", "CREATE ROLE reader LOGIN").returncode == 0
    refused = query(port, "reader", "SELECT 1")
    assert "no pg_hba.conf entry" in refused.stderr
    assert "no pg_hba.conf entry" in query(port, postgresql.ADMINISTRATOR, "SELECT 1").stderr

    assert query(port, "master", "GRANT rds_iam TO reader").returncode == 0

    assert query(port, "reader", "SELECT 1").stdout == "1\n"


def test_functions_are_told_not_to_ask_for_tls_and_to_wait_for_less(
    outputs: dict[str, str], client: Client
) -> None:
    answer = client("lambda").invoke(FunctionName=outputs["Function"])

    assert json.load(answer["Payload"]) == ["127.0.0.1", "disable", "0.5"]


def test_a_stopped_cluster_takes_no_connections_until_it_is_started_and_keeps_its_data(
    outputs: dict[str, str], client: Client
) -> None:
    def status() -> str:
        (cluster,) = databases.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
        return str(cluster["Status"])

    databases, name, port = client("rds"), outputs["Cluster"], outputs["Port"]
    assert query(port, "master", "CREATE TABLE kept AS SELECT 7 AS number").returncode == 0

    databases.stop_db_cluster(DBClusterIdentifier=name)

    assert status() == "stopped"
    assert "Connection refused" in query(port, "master", "SELECT 1").stderr
    with pytest.raises(databases.exceptions.InvalidDBClusterStateFault):
        databases.stop_db_cluster(DBClusterIdentifier=name)

    databases.start_db_cluster(DBClusterIdentifier=name)

    assert status() == "available"
    assert query(port, "master", "SELECT number FROM kept").stdout == "7\n"


def test_a_cluster_whose_master_has_a_password_is_refused(deploy_stack: DeployStack) -> None:
    with pytest.raises(UserError, match="iam-db-auth"):
        deploy_stack(CLUSTER.replace("iam-db-auth", "password"), "password-cluster")


def test_deleting_it_ends_its_server(deploy_stack: DeployStack, client: Client) -> None:
    port = deploy_stack(CLUSTER, "deleted-cluster")["Port"]
    assert query(port, "master", "SELECT 1").returncode == 0

    client("cloudformation").delete_stack(StackName="deleted-cluster")

    wait_until(lambda: query(port, "master", "SELECT 1").returncode != 0)


def test_its_server_ends_when_the_emulator_does(interpreter: Interpreter, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(f"Transform: AWS::Serverless-2016-10-31\n{CLUSTER}".split("  Function:")[0])
    template = read(file)
    template["Outputs"] = {"Port": {"Value": {"Fn::GetAtt": ["Cluster", "Endpoint.Port"]}}}
    with Emulator(REGION, {RUNTIME: interpreter.executable}) as other:
        port = deploy.deploy(other, "cluster", expand(template, REGION))["Port"]
        assert query(port, "master", "SELECT 1").returncode == 0

    wait_until(lambda: query(port, "master", "SELECT 1").returncode != 0)


def test_a_custom_resources_function_is_invoked_asynchronously(
    deploy_stack: DeployStack, client: Client
) -> None:
    made = deploy_stack(FAILING, "custom-resource")

    assert made["Made"] == "made"
    queue = client("sqs")
    messages = wait_until(
        lambda: queue.receive_message(QueueUrl=made["Failed"], WaitTimeSeconds=1).get("Messages")
    )
    assert json.loads(messages[0]["Body"])["requestPayload"]["ResourceType"] == "Custom::Made"
