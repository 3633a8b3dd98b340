"""Large jobs as objects on the local stack: how long they take, and how much memory functions need.

The memory of a function is the most that any of its environments had at any moment. A job that is
a hundred times as large needs as much.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bursts import deployed
from local.processes import environments

ROWS = 10_000, 1_000_000

FUNCTIONS = "start", "work", "combine"

LOOKS_EVERY_SECONDS = 0.05


HEADERS = {"json-lines": "", "csv": "id,units\n"}
LINES = {"json-lines": '{{"id": "customer-{}", "units": {}}}\n', "csv": "customer-{},{}\n"}
SUFFIXES = {"json-lines": "jsonl", "csv": "csv"}


def measure(folder: Path, runtime: str, rows: str) -> Iterator[str]:
    """Upload one job after the other; say of each what it took."""
    with deployed(
        folder,
        pattern="fan-out-fan-in",
        topology="s3-object",
        datastore="none",
        runtime=runtime,
        job_rows=rows,
    ) as stack:
        names = {stack.outputs[f"{name.capitalize()}FunctionName"]: name for name in FUNCTIONS}
        s3, functions = stack.emulator.client("s3"), stack.emulator.client("lambda")

        def described(job: str) -> Any:
            answer = functions.invoke(
                FunctionName=stack.outputs["DescribeFunctionName"], Payload=json.dumps({"id": job})
            )
            return json.load(answer["Payload"])

        for count in ROWS:
            job, units = f"job-{count}", range(1, count + 1)
            lines = (LINES[rows].format(each, each % 2000) for each in units)
            text = HEADERS[rows] + "".join(lines)
            key = f"{job}.{SUFFIXES[rows]}"
            with watched(stack.emulator.pid, names) as peaks:
                started = time.monotonic()
                s3.put_object(Bucket=stack.outputs["JobsBucketName"], Key=key, Body=text)
                while (state := described(job))["status"] in {"UNKNOWN", "RUNNING"}:
                    time.sleep(0.5)
                seconds = time.monotonic() - started
            cents = sum(
                3 * min(each % 2000, 1000) + 2 * max(0, each % 2000 - 1000) for each in units
            )
            assert (state["status"], state["done"], state["total_cents"]) == (
                "COMPLETE",
                count,
                cents,
            ), state
            memory = ", ".join(f"{name} {peaks.get(name, 0) >> 10} MiB" for name in FUNCTIONS)
            yield (
                f"{count} rows ({len(text) >> 10} KiB) in {seconds:.1f} s, "
                f"{count / seconds:.0f} a second; most memory: {memory}"
            )


@contextmanager
def watched(emulator: int, names: dict[str, str]) -> Iterator[dict[str, int]]:
    """Note the most KiB of memory that an environment of each function has in the block."""
    peaks: dict[str, int] = {}
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOKS_EVERY_SECONDS):
            for pid in environments(emulator):
                try:
                    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
                    status = Path(f"/proc/{pid}/status").read_text()
                except OSError:  # it has ended
                    continue
                named = dict(each.partition("=")[::2] for each in variables)
                function = names.get(named.get("AWS_LAMBDA_FUNCTION_NAME", ""))
                resident = status.partition("VmRSS:")[2].split()
                if function and resident:
                    peaks[function] = max(peaks.get(function, 0), int(resident[0]))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def main() -> None:
    for runtime, rows in product(("python", "typescript"), HEADERS):
        with TemporaryDirectory() as name:
            for line in measure(Path(name) / "project", runtime, rows):
                print(f"{runtime}, {rows}: {line}", flush=True)


if __name__ == "__main__":
    main()
