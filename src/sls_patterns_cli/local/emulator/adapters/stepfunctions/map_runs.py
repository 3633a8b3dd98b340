"""A distributed map reads its items one after the other, and hands them on in batches.

AWS: the items of a JSONL or CSV object are read one by one, and ItemBatcher groups them into the
inputs of executions, by number and by bytes, of which there are at most 262,144. Once more items
have failed than are tolerated, the map run fails and starts no other execution. What each execution
gave is written as ResultWriter says, by how it ended, with a manifest that names the files. A
redrive of the parent goes on with the executions of this map run that have not succeeded: a
standard one continues, an express one is started again.
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
https://docs.aws.amazon.com/step-functions/latest/dg/example-csv-parse-dist-map.html
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html

Emulator: reads all items at once, escapes nothing in CSV by a backslash, and takes no notice of
ItemBatcher and ResultWriter. It compares the failures with the threshold once all items are done,
and has no redrive. Here, what runs while the threshold is exceeded ends by itself, where AWS aborts
it; and there is one file for a status.
"""

import contextvars
import copy
import json
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid, now_iso
from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import rely_on, replace
from sls_patterns_cli.local.emulator.adapters.stepfunctions import map_results
from sls_patterns_cli.local.emulator.adapters.stepfunctions.map_items import Batch, MapState

AT_A_TIME = 64
"""How many executions run at a time on this machine where MaxConcurrency is left out."""

COUNTS = (
    "pending",
    "running",
    "succeeded",
    "failed",
    "timedOut",
    "aborted",
    "total",
    "resultsWritten",
    "failuresNotRedrivable",
    "pendingRedrive",
)

Execution = dict[str, Any]


def apply() -> None:
    replace(stepfunctions, "_run_distributed_map", "2b77d3ec0e04", _in_batches)
    rely_on(stepfunctions._read_map_items, "b846851544b8")
    rely_on(stepfunctions._run_sub_machine, "f8d844168b14")


def _in_batches(_run: Callable[..., Any]) -> Callable[..., Any]:
    def run_distributed_map(*arguments: Any) -> Any:
        state, raw_input, given, processor, execution, context = arguments
        run = _redriven(execution, context)
        if run is None:
            run = _MapRun(MapState(state, given, context), processor, execution)
        selected = stepfunctions._apply_result_selector(state, run.carried_out())
        output = stepfunctions._apply_result_path(state, raw_input, selected)
        output = stepfunctions._apply_output_path(state, output, context)
        return output, stepfunctions._next_or_end(state)

    return run_distributed_map


@dataclass(frozen=True)
class _Part:
    """An execution of a map run, and how many items it has."""

    execution: Execution
    items: int


class _MapRun:
    """The executions of one map state; it outlives a failure, since a redrive goes on with it."""

    def __init__(self, state: MapState, processor: dict[str, Any], parent: Execution) -> None:
        self._state, self._processor, self._parent = state, processor, parent
        self._redrives = parent.get("redriveCount", 0)
        machine = parent["stateMachineArn"].split(":")[6]
        self._machine = f"{machine}/{state.definition.get('Label') or new_uuid()}"
        self._tolerated_count = state.number("ToleratedFailureCount")
        self._tolerated_percentage = state.number("ToleratedFailurePercentage")
        self._parts: list[_Part] = []
        self._lock = threading.Lock()
        self._record: dict[str, Any] = {
            "mapRunArn": self._arn("mapRun", new_uuid()),
            "executionArn": parent["executionArn"],
            "status": "RUNNING",
            "startDate": now_iso(),
            "maxConcurrency": int(state.number("MaxConcurrency") or 0),
            "toleratedFailureCount": int(self._tolerated_count or 0),
            "toleratedFailurePercentage": float(self._tolerated_percentage or 0),
            "itemCounts": dict.fromkeys(COUNTS, 0),
            "executionCounts": dict.fromkeys(COUNTS, 0),
            "redriveCount": 0,
            "_stateMachineArn": self._arn("stateMachine"),
        }
        self._waiting: Iterator[_Part] = map(self._part, state.batches())
        stepfunctions._map_runs[self._record["mapRunArn"]] = self._record

    def carried_out(self) -> Any:
        """Run what waits; return the result of the state."""
        ended = "FAILED"
        try:
            self._run_all()
            if self._is_stopped():
                ended = "ABORTED"
            elif not self._is_exceeded(self._record["itemCounts"]["total"]):
                ended = "SUCCEEDED"
            # What was not started is pending.
            list(self._waiting)
            result = self._results()
        finally:
            self._record.update(status=ended, stopDate=now_iso())
        if ended == "SUCCEEDED":
            return result
        _unsuccessful[self._parent["executionArn"], self._state.context["State"]["Name"]] = self
        raise stepfunctions._ExecutionError(
            "States.ExceedToleratedFailureThreshold",
            "The specified tolerated failure threshold was exceeded",
        )

    def redrive(self, number: int) -> bool:
        """Let all wait that has not succeeded; return whether this is a redrive, and no retry."""
        if self._redrives == number:
            return False
        self._redrives = number
        self._record.update(
            status="RUNNING",
            stopDate=None,
            redriveCount=self._record["redriveCount"] + 1,
            redriveDate=now_iso(),
        )
        waiting = [part for part in self._parts if part.execution["status"] != "SUCCEEDED"]
        for part in waiting:
            if part.execution["status"] == "FAILED":
                self._restart(part.execution)
            self._count(part, "PENDING")
        self._waiting = iter(waiting)
        return True

    def _restart(self, execution: Execution) -> None:
        if self._processor["ProcessorConfig"].get("ExecutionType") == "EXPRESS":
            name = new_uuid()
            execution.update(name=name, executionArn=self._arn("execution", name), outcomes=[])
            stepfunctions._executions[execution["executionArn"]] = execution
        else:
            execution["redriveCount"] = execution.get("redriveCount", 0) + 1
            execution["replayed"] = list(execution.get("outcomes", []))
        execution.update(error=None, cause=None, stopDate=None)

    def _run_all(self) -> None:
        """Run as many at a time as the state allows; each is taken when one before it is done."""
        total = math.inf

        def taken() -> _Part | None:
            nonlocal total
            with self._lock:
                if self._is_stopped() or self._is_exceeded(total):
                    return None
                part = next(self._waiting, None)
                if part is None:
                    total = self._record["itemCounts"]["total"]
                else:
                    self._count(part, "RUNNING")
                return part

        def work() -> None:
            while part := taken():
                self._run(part)

        workers = self._record["maxConcurrency"] or AT_A_TIME
        with ThreadPoolExecutor(max_workers=workers) as pool:
            running = [pool.submit(contextvars.copy_context().run, work) for _ in range(workers)]
        for each in running:
            each.result()

    def _run(self, part: _Part) -> None:
        execution = part.execution
        given = json.loads(execution["input"])
        context = {
            **copy.deepcopy(self._state.context),
            "Execution": {
                "Id": execution["executionArn"],
                "Input": given,
                "Name": execution["name"],
                "StartTime": execution["startDate"],
            },
            "variables": {},
        }
        states, first = self._processor.get("States", {}), self._processor.get("StartAt")
        try:
            output = stepfunctions._run_sub_machine(states, first, given, execution, context)
            execution["output"] = json.dumps(output)
            execution.pop("outcomes", None)
            ended = "SUCCEEDED"
        except stepfunctions._ExecutionError as error:
            execution.update(error=error.error, cause=error.cause)
            ended = "FAILED"
        except Exception as error:  # noqa: BLE001 (so the emulator does)
            execution.update(error="States.Runtime", cause=str(error))
            ended = "FAILED"
        execution["stopDate"] = now_iso()
        with self._lock:
            self._count(part, ended)

    def _is_stopped(self) -> bool:
        """Tell whether the parent was stopped, and maybe redriven since."""
        redrives = self._parent.get("redriveCount", 0)
        return bool(self._parent["status"] != "RUNNING" or redrives != self._redrives)

    def _is_exceeded(self, total: float) -> bool:
        """Tell whether more items have failed than are tolerated, of so many.

        How many there are is known once all have been read.
        """
        failed = self._record["itemCounts"]["failed"]
        count, percentage = self._tolerated_count, self._tolerated_percentage
        if count is percentage is None:
            return bool(failed > 0)
        too_many = count is not None and failed > count
        too_large = percentage is not None and failed * 100 > (percentage and percentage * total)
        return bool(too_many or too_large)

    def _part(self, batch: Batch) -> _Part:
        """Return a new execution, which is pending."""
        name = new_uuid()
        execution = {
            "executionArn": self._arn("execution", name),
            "stateMachineArn": self._record["_stateMachineArn"],
            "name": name,
            "status": "PENDING",
            "startDate": now_iso(),
            "stopDate": None,
            "input": batch.input,
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": {"included": True},
            "mapRunArn": self._record["mapRunArn"],
            "events": [],
            "testCase": self._parent.get("testCase"),
            "mockAttempts": {},
        }
        stepfunctions._executions[execution["executionArn"]] = execution
        part = _Part(execution, batch.items)
        self._parts.append(part)
        for counts, number in self._counts(part):
            counts["total"] += number
            counts["pending"] += number
        return part

    def _count(self, part: _Part, status: str) -> None:
        for counts, number in self._counts(part):
            counts[part.execution["status"].lower()] -= number
            counts[status.lower()] += number
        part.execution["status"] = status

    def _counts(self, part: _Part) -> Iterator[tuple[dict[str, int], int]]:
        yield self._record["itemCounts"], part.items
        yield self._record["executionCounts"], 1

    def _results(self) -> Any:
        executions = [part.execution for part in self._parts]
        writer = self._state.definition.get("ResultWriter") or {}
        config = writer.get("WriterConfig") or {}
        if "Resource" not in writer:
            return map_results.outputs(executions, config.get("Transformation", "COMPACT"))
        where = self._state.resolved(writer["Parameters"])
        map_run = self._record["mapRunArn"]
        written = map_results.write(self._parent, map_run, executions, where, config)
        for counts in (self._record["itemCounts"], self._record["executionCounts"]):
            counts["resultsWritten"] = counts["total"] - counts["pending"]
        return written

    def _arn(self, kind: str, name: str = "") -> str:
        place = f"arn:aws:states:{get_region()}:{get_account_id()}"
        return ":".join(filter(None, (place, kind, self._machine, name)))


_unsuccessful: dict[tuple[str, str], _MapRun] = {}
"""The last map run that did not succeed, by the execution and the name of the state."""


def _redriven(execution: Execution, context: dict[str, Any]) -> _MapRun | None:
    """Return the map run that a redrive of the execution goes on with."""
    run = _unsuccessful.pop((execution["executionArn"], context["State"]["Name"]), None)
    return run if run and run.redrive(execution.get("redriveCount", 0)) else None
