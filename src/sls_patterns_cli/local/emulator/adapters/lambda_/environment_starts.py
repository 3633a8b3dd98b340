"""An invocation waits for an environment that gets free before another one is started.

AWS: starts an environment for each invocation that finds none free, on as many machines as that
takes.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html

Emulator: does so on this one machine, where sixty that start at the same time take longer than a
caller waits. Here few start at a time, and more than a handful only when those that there are do
not keep up.
Waiting is not the function's time, and not that of a task which a state machine times
(task_timeouts). No number of environments is the limit, as a function may wait for another, or for
itself: where none has got free for a while, another one is started.
"""

import contextvars
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from sls_patterns_cli.local.emulator.adapters import rely_on, replace

CORES = os.cpu_count() or 1

STARTING_AT_MOST = max(2, CORES)

AT_ONCE = 8
"""So many a function gets without waiting, as on AWS: what runs side by side there does here."""

FEW = max(16, 4 * CORES)
"""Up to so many environments of a function, an invocation waits only for part of a start."""

PATIENCE_IN_STARTS = 0.3
"""How long an invocation waits, where there are few, for one that gets free: so much of the time
that the last start took, which on a busy machine takes longer, as everything does. These numbers
were chosen by the bursts of tests/bursts.py on two cores; none is AWS's."""

PATIENCE_WITH_MANY_SECONDS = 1.0
"""For how long, where there are many, none may have got free before another is started."""

LOOKS_EVERY_SECONDS = 0.05

Worker = Any


@dataclass
class Wait:
    """The time that an invocation, and what it is part of, waits for environments."""

    seconds: float = 0.0
    began: float | None = None

    def so_far(self) -> float:
        began = self.began
        return self.seconds + (0.0 if began is None else time.monotonic() - began)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        self.began = time.monotonic()
        try:
            yield
        finally:
            self.seconds, self.began = self.so_far(), None


waiting: contextvars.ContextVar[Wait | None] = contextvars.ContextVar("waiting", default=None)
"""Where the waits of the current invocation are noted, if somebody wants to know."""


@dataclass
class _Invocation:
    """An invocation that waits; it gets `worker`, or its `turn` to look for itself."""

    turn: threading.Event = field(default_factory=threading.Event)
    worker: Worker = None


@dataclass
class _Function:
    """What waits for the environments of one function, the oldest first."""

    invocations: deque[_Invocation] = field(default_factory=deque)
    freed_at: float = 0.0
    started_at: float = 0.0
    start_seconds: float = 0.0


_functions: dict[str, _Function] = {}
_starting: dict[Worker, tuple[_Function, float]] = {}
"""The environments that start, each with its function and since when."""


def apply() -> None:
    rely_on(lambda_runtime._worker_key, "0537100beb43")
    replace(lambda_svc, "acquire_worker", "5017d144adb5", _acquiring)
    replace(lambda_svc, "release_worker", "25d5dd7d42b6", _releasing)


def started(worker: Worker) -> None:
    """Take note that an environment has started, or has failed to."""
    with lambda_runtime._lock:
        function, since = _starting.pop(worker, (_Function(), 0.0))
        function.started_at = time.monotonic()
        function.start_seconds = function.started_at - since


def _acquiring(_acquire: Callable[..., Any]) -> Callable[..., Any]:
    def acquire(
        name: str, config: dict[str, Any], code: bytes, qualifier: str = "$LATEST"
    ) -> tuple[Worker, str]:
        key = lambda_runtime._worker_key(name, config, qualifier)

        def make() -> Worker:
            return lambda_runtime._worker_class_for(config)(name, config, code)

        with lambda_runtime._lock:
            function = _functions.setdefault(key, _Function())
            if not function.invocations and (worker := _free(key)):
                return worker, "reused"
            invocation = _Invocation()
            function.invocations.append(invocation)
        with (waiting.get() or Wait()).going_on():
            return _wait(key, function, invocation, make)

    return acquire


def _wait(
    key: str, function: _Function, invocation: _Invocation, make: Callable[[], Worker]
) -> tuple[Worker, str]:
    """Return an environment that has got free meanwhile, or one that may be started now."""
    since = time.monotonic()
    while True:
        with lambda_runtime._lock:
            if invocation.worker:
                return invocation.worker, "reused"
            if function.invocations[0] is invocation:
                free = _free(key)
                if free or _may_start(key, function, since):
                    _leave(function, invocation)
                    return (free, "reused") if free else (_start(key, function, make()), "spawn")
                invocation.turn.clear()
            first = function.invocations[0] is invocation
        # Only the first one looks for itself, the others are told.
        invocation.turn.wait(LOOKS_EVERY_SECONDS if first else None)


def _free(key: str) -> Worker:
    """Lease an environment that is free and alive, if there is one."""
    environments = lambda_runtime._workers.setdefault(key, [])
    for worker in list(environments):
        if worker.in_use or worker in _starting:
            continue
        if worker._proc is None or worker._proc.poll() is not None:
            environments.remove(worker)  # it starts like a new one
            continue
        return _lease(worker)
    return None


def _may_start(key: str, function: _Function, since: float) -> bool:
    if len(_starting) >= STARTING_AT_MOST:
        return False
    environments = lambda_runtime._workers[key]
    if len(environments) < AT_ONCE:
        return True
    if all(worker in _starting for worker in environments):
        return False
    now = time.monotonic()
    if len(environments) < FEW:
        waited = now - max(since, function.started_at)
        return waited >= PATIENCE_IN_STARTS * function.start_seconds
    return now - max(since, function.freed_at) >= PATIENCE_WITH_MANY_SECONDS


def _start(key: str, function: _Function, worker: Worker) -> Worker:
    lambda_runtime._workers[key].append(worker)
    _starting[worker] = function, time.monotonic()
    return _lease(worker)


def _lease(worker: Worker) -> Worker:
    worker.in_use, worker.last_used = True, time.time()
    return worker


def _leave(function: _Function, invocation: _Invocation) -> None:
    function.invocations.remove(invocation)
    if function.invocations:
        function.invocations[0].turn.set()


def _releasing(_release: Callable[[Worker], None]) -> Callable[[Worker], None]:
    def release(worker: Worker) -> None:
        """Hand the environment to the invocation that has waited longest."""
        if worker is None:
            return
        with lambda_runtime._lock:
            _starting.pop(worker, None)
            worker.in_use = False
            key = next((k for k, all_ in lambda_runtime._workers.items() if worker in all_), None)
            function = _functions.get(key or "")
            if function is None:
                return
            function.freed_at = time.monotonic()
            alive = worker._proc is not None and worker._proc.poll() is None
            if alive and function.invocations:
                invocation = function.invocations[0]
                invocation.worker = _lease(worker)
                _leave(function, invocation)
                invocation.turn.set()

    return release
