"""How a map run keeps what its executions gave; it changes nothing of the emulator itself.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ministack.services import s3, stepfunctions

from sls_patterns_cli.local.emulator.adapters.iam.permissions import role_may
from sls_patterns_cli.local.emulator.adapters.stepfunctions.machines import machine_of

DESCRIBED = {
    "executionArn": "ExecutionArn",
    "input": "Input",
    "name": "Name",
    "output": "Output",
    "startDate": "StartDate",
    "stateMachineArn": "StateMachineArn",
    "status": "Status",
    "stopDate": "StopDate",
    "error": "Error",
    "cause": "Cause",
}
"""What a result file says of an execution where nothing is transformed."""

Execution = dict[str, Any]


def write(
    execution: Execution,
    map_run: str,
    parts: Iterable[Execution],
    where: dict[str, str],
    config: dict[str, str],
) -> dict[str, Any]:
    """Write the results of a map run in the name of the machine's role; return where they are.

    A redrive writes them anew, in the same folder.
    """
    folder = "/".join(
        filter(None, (where.get("Prefix", "").strip("/"), map_run.rpartition(":")[2]))
    )
    role, lines = machine_of(execution)["roleArn"], config.get("OutputType") == "JSONL"
    files: dict[str, list[dict[str, Any]]] = {"SUCCEEDED": [], "FAILED": [], "PENDING": []}
    for status, named in files.items():
        ended = (part for part in parts if part["status"] == status)
        results = [
            json.dumps(each) for each in _transformed(ended, config.get("Transformation", "NONE"))
        ]
        if results:
            text = "\n".join([*results, ""]) if lines else f"[{','.join(results)}]"
            key = f"{folder}/{status}_0.json"
            named.append({"Key": key, "Size": _put(role, where["Bucket"], key, text)})
    manifest = {
        "DestinationBucket": where["Bucket"],
        "MapRunArn": map_run,
        "ResultFiles": files,
    }
    key = f"{folder}/manifest.json"
    _put(role, where["Bucket"], key, json.dumps(manifest))
    return {
        "MapRunArn": map_run,
        "ResultWriterDetails": {"Bucket": where["Bucket"], "Key": key},
    }


def outputs(parts: Iterable[Execution], transformation: str) -> list[Any]:
    """Return what the executions gave, where nothing is written."""
    succeeded = (part for part in parts if part["status"] == "SUCCEEDED")
    return list(_transformed(succeeded, transformation))


def _transformed(parts: Iterable[Execution], transformation: str) -> Iterator[Any]:
    """Yield the results of executions; of those that failed they are never transformed."""
    for part in parts:
        if transformation == "NONE" or part["status"] != "SUCCEEDED":
            yield {name: part[key] for key, name in DESCRIBED.items() if part.get(key) is not None}
            continue
        output = json.loads(part["output"])
        if transformation == "FLATTEN" and isinstance(output, list):
            yield from output
        else:
            yield output


def _put(role: str, bucket: str, key: str, text: str) -> int:
    body = text.encode()
    if not role_may(role, "s3:PutObject", f"arn:aws:s3:::{bucket}/{key}"):
        raise stepfunctions._ExecutionError("States.ResultWriterFailed", f"Access denied to {key}")
    status, _headers, _answer = s3._put_object(bucket, key, body, {})
    if status >= 400:
        raise stepfunctions._ExecutionError("States.ResultWriterFailed", f"No bucket {bucket}")
    return len(body)
