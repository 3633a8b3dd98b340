"""Calls the handlers of Python projects with events, and writes down what came of it.

Runs in an environment of generated projects, without this repository's modules.
"""

import contextlib
import importlib
import io
import json
import os
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any


class Context:
    function_name = "driven"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:driven"
    aws_request_id = "request-1"
    log_group_name = "driven"
    log_stream_name = "driven"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


def load(project: Path, function: str) -> Any:
    (handlers,) = (project / "src").glob("*/handlers")
    sys.path.insert(0, str(project / "src"))
    return importlib.import_module(f"{handlers.parent.name}.handlers.{function.replace('-', '_')}")


def call(handler: Any, event: Any, personal: str) -> dict[str, Any]:
    log = io.StringIO()
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    started = time.perf_counter()
    with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        try:
            answer = handler(event, Context())
        except Exception as error:  # noqa: BLE001 - a failure of the function, which is reported
            answer = {"statusCode": 500, "body": f"{type(error).__name__}: {error}"}
    milliseconds = (time.perf_counter() - started) * 1000
    _, peak = tracemalloc.get_traced_memory()
    text = json.dumps(answer)
    where = [" in the answer"] * (personal in text) + [" in the log"] * (personal in log.getvalue())
    return {
        "status": answer["statusCode"],
        "size": len(text.encode()),
        "allocated": peak - before,
        "milliseconds": milliseconds,
        "personal": ", personal data" * bool(where) + " and".join(where),
    }


def drive(work: dict[str, Any]) -> list[dict[str, Any]]:
    os.environ.update(work["variables"])
    answers = []
    for function, events in work["handlers"].items():
        module = load(Path(work["project"]), function)
        stream = io.StringIO()
        for each in vars(module).values():  # Powertools' loggers write to what was stdout before
            for target in getattr(each, "handlers", []) if "Logger" in type(each).__name__ else []:
                target.setStream(stream)
        call(module.handler, events[0][1], work["personal"])  # loads what is loaded once
        for name, event in events:
            stream.seek(0)
            stream.truncate()
            answer = call(module.handler, event, work["personal"])
            if work["personal"] in stream.getvalue():
                answer["personal"] += ", personal data in the log"
            answers.append({"request": name, **answer})
    return answers


tracemalloc.start()
place = Path(sys.argv[1])
done = [drive(each) for each in json.loads(place.read_text())]
place.with_name(f"{place.name}.answers").write_text(json.dumps(done))
