"""A pipe reads its source as an event source mapping does, and keeps what it gives up.

AWS: of a queue, messages that the target did not process are visible again after the visibility
timeout, until the queue's maxReceiveCount. Of a stream, a batch is tried until MaximumRetryAttempts
or MaximumRecordAgeInSeconds, and then goes to the dead-letter queue of the pipe, a queue or topic,
which is told where it was, not what was in it. AUTOMATIC_BISECT halves a batch that fails. If the
target says which records failed, in `batchItemFailures`, only these are tried again.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-error-troubleshooting.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html

Emulator: reads tables' streams only, delivers to topics and state machines only, without filter,
enrichment and template, and never gives anything up.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import lambda_svc, pipes

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.pipes.definitions import (
    Pipe,
    dead_letters,
    service_of,
    stream_parameters,
)
from sls_patterns_cli.local.emulator.adapters.pipes.delivery import deliver

OF_A_QUEUE, OF_A_STREAM = 10, 1
"""Records of a batch if the pipe does not say it: https://docs.aws.amazon.com/cdk/api/v2/docs/aws-pipes-sources-alpha-readme.html."""

Record = dict[str, Any]


def apply() -> None:
    replace(pipes, "_ensure_poller", "a21371869881", lambda _: lambda_svc._ensure_poller)
    replace(lambda_svc, "_iter_all_esms", "7db06c0627a5", _with_pipes)
    replace(lambda_svc, "_get_func_record_for_qualifier", "a86e90478088", _or_pipe)
    replace(lambda_svc, "_execute_function", "3ceb16d6480a", _delivered)


def _with_pipes(mappings: Callable[[], Iterator[Any]]) -> Callable[[], Iterator[Any]]:
    def all_mappings() -> Iterator[tuple[str, str, Record]]:
        yield from mappings()
        for account, region, pipe in pipes._iter_all_pipes():
            if pipe.get("CurrentState") == "RUNNING":
                yield account, region, _mapping(pipe)

    return all_mappings


def _mapping(pipe: Pipe) -> Record:
    """The event source mapping that reads as the pipe does."""
    given = pipe.get("SourceParameters") or {}
    stream = stream_parameters(pipe)
    queue = given.get("SqsQueueParameters") or {}
    usual = OF_A_QUEUE if service_of(pipe["Source"]) == "sqs" else OF_A_STREAM
    return {
        **stream,
        "UUID": pipe["Id"],
        "PipeArn": pipe["Arn"],
        "FunctionName": pipe["Arn"],
        "EventSourceArn": pipe["Source"],
        "BatchSize": int((queue or stream).get("BatchSize", usual)),
        "FilterCriteria": given.get("FilterCriteria"),
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": stream.get("OnPartialBatchItemFailure") == "AUTOMATIC_BISECT",
        "DestinationConfig": {"OnFailure": {"Destination": dead_letters(pipe)}},
    }


def _or_pipe(find: Callable[..., Any]) -> Callable[..., Any]:
    def find_function(name: str, qualifier: str | None) -> Any:
        if not name.startswith("arn:aws:pipes:"):
            return find(name, qualifier)
        pipe = pipes._find_pipe_by_arn(name)
        if pipe is None:
            return None, None
        # Time that a target takes, it takes by itself.
        config = {"FunctionArn": name, "Role": pipe["RoleArn"], "Timeout": 0}
        return {"config": config, "pipe": pipe}, config

    return find_function


def _delivered(execute: Callable[..., Record]) -> Callable[..., Record]:
    def execute_function(function: Record, event: Any, *rest: Any, **options: Any) -> Record:
        if "pipe" in function:
            return deliver(function["pipe"], event["Records"])
        return execute(function, event, *rest, **options)

    return execute_function
