"""What an API refuses reaches nothing behind it: no function, stream, machine or bucket."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from environments import link_environment, link_requirements
from local.support import wait_until
from rendering import render_project
from variants import Variant, topology_of

from sls_patterns_cli.local import session
from sls_patterns_cli.terminal.progress import Progress

HTTP = urllib3.PoolManager(retries=False, timeout=30)
ACCESS_LOGS = "/aws/vendedlogs/apis/"
# One of each way in which an API hands a call on, with a call that is right but for its caller.
CALLS = [
    pytest.param(Variant(*options, (("auth", auth),)), *call, id=f"{'/'.join(options)}/{auth}")
    for options, auth, *call in (
        (("streamer", "kinesis", "python", "sam", "s3"), "iam", "POST", "/events", "page-view"),
        (("streamer", "direct", "python", "sam", "s3"), "jwt", "POST", "/events", "page-view"),
        (
            ("state-machine", "standard", "python", "sam", "dynamodb"),
            *("jwt", "PUT", "/orders/proof_1", "order"),
        ),
        (
            ("state-machine", "express", "python", "sam", "dynamodb"),
            *("iam", "PUT", "/orders/proof_1", "order"),
        ),
    )
]


def reached(stack: session._Stack) -> Counter[str]:
    """Return how much there is of all that a call leaves behind the API and its authorizer."""
    client = stack.emulator.client
    logs, kinesis, machines, s3 = map(client, ("logs", "kinesis", "stepfunctions", "s3"))
    found: Counter[str] = Counter()
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        if "Authorize" not in name and not name.startswith(ACCESS_LOGS):
            found[name] = len(logs.filter_log_events(logGroupName=name)["events"])
    for name in kinesis.list_streams()["StreamNames"]:
        for shard in kinesis.list_shards(StreamName=name)["Shards"]:
            start = kinesis.get_shard_iterator(
                StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            found[name] += len(kinesis.get_records(ShardIterator=start)["Records"])
    for machine in machines.list_state_machines()["stateMachines"]:
        if machine["type"] == "STANDARD":
            arn = machine["stateMachineArn"]
            found[arn] = len(machines.list_executions(stateMachineArn=arn)["executions"])
    for bucket in s3.list_buckets()["Buckets"]:
        found[bucket["Name"]] = s3.list_objects_v2(Bucket=bucket["Name"])["KeyCount"]
    return found


def signed(method: str, url: str, body: bytes, region: str, secret: str) -> dict[str, str]:
    request = AWSRequest(method, url, data=body)
    SigV4Auth(Credentials("test", secret), "execute-api", region).add_auth(request)
    return dict(request.headers)


@pytest.mark.parametrize(("variant", "method", "path", "event"), CALLS)
def test_a_refused_call_reaches_nothing(
    variant: Variant, method: str, path: str, event: str, tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    link_environment(project)
    link_requirements(project)
    body = (project / f"events/{event}.json").read_bytes()
    assert topology_of(variant).refusals

    with session._stack(project, Progress(lambda _line: None)) as stack:
        url = f"{stack.outputs['ApiUrl']}{path}"

        def call(**credentials: str) -> int:
            headers = {"content-type": "application/json", **credentials}
            return HTTP.request(method, url, body=body, headers=headers).status

        def credentials(*, right: bool) -> dict[str, Any]:
            if stack.credentials:
                token = stack.credentials["TOKEN"]
                return {"authorization": f"Bearer {token if right else token[:-8] + 'AAAAAAAA'}"}
            secret = "test" if right else "wrong"
            return signed(method, url, body, stack.emulator.region, secret)

        before = reached(stack)
        assert {call(), call(**credentials(right=False))} <= {401, 403}
        assert reached(stack) == before

        assert call(**credentials(right=True)) < 300
        wait_until(lambda: reached(stack) != before)
