"""A distributed map writes its results to a bucket where its ResultWriter says so.

AWS: what the parts gave is written under the prefix, by how they ended, with a manifest that names
the files, in the name of the machine's role; the state's result says where the manifest is.
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html

Emulator: takes no notice of ResultWriter; the state's result is the list of all results.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import s3, stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace
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
"""What a result file says of each execution."""

State = dict[str, Any]


def apply() -> None:
    replace(stepfunctions, "_run_distributed_map", "2b77d3ec0e04", _written)


def _written(run: Callable[..., Any]) -> Callable[..., Any]:
    def run_map(state: State, *arguments: Any) -> Any:
        writer = state.get("ResultWriter")
        if not writer:
            return run(state, *arguments)
        plain = {key: value for key, value in state.items() if not key.startswith("Result")}
        raw_input, effective, _iterator, execution, context = arguments
        _results, following = run(plain, *arguments)
        where = stepfunctions._resolve_params_obj(writer["Parameters"], effective, context)
        result = stepfunctions._apply_result_selector(state, _write(execution, where))
        output = stepfunctions._apply_result_path(state, raw_input, result)
        return stepfunctions._apply_output_path(state, output, context), following

    return run_map


def _write(execution: State, where: dict[str, str]) -> dict[str, Any]:
    map_run = next(
        run
        for run in reversed(list(stepfunctions._map_runs.values()))
        if run["executionArn"] == execution["executionArn"]
    )
    parts = [
        part
        for part in stepfunctions._executions.values()
        if part.get("mapRunArn") == map_run["mapRunArn"]
    ]
    folder = "/".join(filter(None, (where.get("Prefix", "").strip("/"), new_uuid())))
    role = machine_of(execution)["roleArn"]
    files: dict[str, list[dict[str, Any]]] = {"SUCCEEDED": [], "FAILED": [], "PENDING": []}
    for status, named in files.items():
        ended = [
            {name: part.get(key) for key, name in DESCRIBED.items() if part.get(key) is not None}
            for part in parts
            if part["status"] == status
        ]
        if ended:
            key = f"{folder}/{status}_0.json"
            named.append({"Key": key, "Size": _put(role, where["Bucket"], key, ended)})
    manifest = {
        "DestinationBucket": where["Bucket"],
        "MapRunArn": map_run["mapRunArn"],
        "ResultFiles": files,
    }
    key = f"{folder}/manifest.json"
    _put(role, where["Bucket"], key, manifest)
    return {
        "MapRunArn": map_run["mapRunArn"],
        "ResultWriterDetails": {"Bucket": where["Bucket"], "Key": key},
    }


def _put(role: str, bucket: str, key: str, content: Any) -> int:
    body = json.dumps(content).encode()
    if not role_may(role, "s3:PutObject", f"arn:aws:s3:::{bucket}/{key}"):
        raise stepfunctions._ExecutionError("States.ResultWriterFailed", f"Access denied to {key}")
    status, _headers, _answer = s3._put_object(bucket, key, body, {})
    if status >= 400:
        raise stepfunctions._ExecutionError("States.ResultWriterFailed", f"No bucket {bucket}")
    return len(body)
