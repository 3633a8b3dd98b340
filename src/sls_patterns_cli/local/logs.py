"""Follows what the functions of a stack log."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

from sls_patterns_cli.local.deploy import Emulator

INTERVAL_SECONDS = 0.5

Report = Callable[[str], None]


class LogFollower:
    """Reports each new line of every function of a stack as `[function] line`, in a thread."""

    def __init__(self, emulator: Emulator, stack: str, report: Report) -> None:
        self._emulator = emulator
        self._stack = stack
        self._logs = emulator.client("logs")
        self._report = report
        self._seen = Counter[str]()
        self.find_groups()
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._follow, name="logs", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def find_groups(self) -> None:
        """Find the log groups of the functions that the stack has now."""
        self._groups = _log_groups(self._emulator, self._stack)

    @property
    def has_ended(self) -> bool:
        """Whether the logs are followed no more, so that `wait` does not wait."""
        return self._ended.is_set()

    def wait(self) -> None:
        """Return only by the exception that ended the following, or a signal."""
        self._ended.wait()
        if self._failure:
            raise self._failure

    def _follow(self) -> None:
        try:
            while not self._stop.wait(INTERVAL_SECONDS):
                for group, function in self._groups.items():
                    for line in self._new_lines(group):
                        self._report(f"[{function}] {line}")
        except BaseException as error:  # noqa: BLE001 - raised again by `wait`
            self._failure = error
        finally:
            self._ended.set()

    def _new_lines(self, group: str) -> list[str]:
        events = _events(self._logs, group)
        new = events[self._seen[group] :]
        self._seen[group] = len(events)
        return [event["message"].rstrip() for event in new]


def lines_between(emulator: Emulator, stack: str, start: float, end: float) -> list[str]:
    """What the functions of a stack logged, as `[function] line`, in the order of time.

    `start` and `end` are seconds since the epoch.
    """
    logs = emulator.client("logs")
    found = [
        (event["timestamp"], f"[{function}] {event['message'].rstrip()}")
        for group, function in _log_groups(emulator, stack).items()
        for event in _events(logs, group)
        if start <= event["timestamp"] / 1000 <= end
    ]
    return [line for _, line in sorted(found, key=lambda each: each[0])]


def _events(logs: Any, group: str) -> list[Any]:
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []  # a group that Lambda makes exists from the first invocation


def _log_groups(emulator: Emulator, stack: str) -> dict[str, str]:
    """The functions' logical names by their log groups."""
    resources = emulator.client("cloudformation").describe_stack_resources(StackName=stack)
    functions = emulator.client("lambda")
    groups = {}
    for resource in resources["StackResources"]:
        if resource["ResourceType"] == "AWS::Lambda::Function":
            configuration = functions.get_function_configuration(
                FunctionName=resource["PhysicalResourceId"]
            )
            group = configuration.get("LoggingConfig", {}).get("LogGroup")
            name = configuration["FunctionName"]
            groups[group or f"/aws/lambda/{name}"] = resource["LogicalResourceId"]
    return groups
