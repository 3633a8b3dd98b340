"""An update of a function lets running invocations end and is soon complete.

AWS: invocations that have begun go on with the old code and configuration; new ones get the new;
an update takes a second or two.
https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html

Emulator: kills the function's processes, so that running invocations fail; an update is in
progress for half a second, which is not scaled as the service's own waits are.
"""

import threading
from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from sls_patterns_cli.local.emulator.adapters import rely_on, replace

UPDATE_SECONDS = 0.0


def apply() -> None:
    rely_on(lambda_runtime.invalidate_worker, "1be5d7f769f5")
    rely_on(lambda_svc._schedule_state_transition, "f072b21e2fd9")
    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = UPDATE_SECONDS
    replace(lambda_runtime, "kill_workers", "56a6df63f9bd", _after_their_work)


def _after_their_work(kill: Callable[..., Any]) -> Callable[..., Any]:
    def kill_workers(workers: list[Any]) -> None:
        busy = [worker for worker in workers if worker._lock.locked()]
        kill([worker for worker in workers if worker not in busy])
        for worker in busy:
            threading.Thread(target=end, args=(worker,), daemon=True).start()

    def end(worker: Any) -> None:
        with worker._lock:
            kill([worker])

    return kill_workers
