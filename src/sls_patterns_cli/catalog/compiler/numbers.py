"""The numbers that all stacks share, as templates read them: a number's home is the module of its
kind, with its source."""

from typing import TypedDict, cast

from sls_patterns_cli.catalog.compiler import dead_letters, rollout
from sls_patterns_cli.catalog.compiler.kinds import (
    api,
    athena,
    aurora,
    cache,
    delivery,
    function,
    log_group,
    queue,
    rate,
    redshift,
    rules,
    schedule,
    stream,
)
from sls_patterns_cli.catalog.compiler.quantities import Number, Period


class Subscriber(TypedDict):
    """Of a queue in a subscriber's own stack, and of the function that consumes it."""

    timeout: int
    visibility_timeout: int
    visibility_reason: str
    receives: Number
    receives_reason: str


class Queue(TypedDict):
    """Of SQS queues."""

    retention: Period
    dead_letter_retention: Period
    dead_letter_time: Period
    visibility_factor: Number
    subscriber: Subscriber


class Api(TypedDict):
    """Of APIs."""

    integration_seconds: int
    refused_data: str
    """What finds data that was refused in an access log."""


class Database(TypedDict):
    """Of Aurora clusters."""

    port: int
    most_capacity: int
    backup_retention: Period
    migration_time: Period


class Cache(TypedDict):
    """Of caches."""

    port: int
    reader_port: int
    storage_gigabytes: int
    units_per_second: int


class Delivery(TypedDict):
    """Of Firehose."""

    attempts: Number
    processing_megabytes: int
    bucket_retries: Period
    table_retries: Period


class Warehouse(TypedDict):
    """Of Redshift Serverless."""

    port: int
    base_capacity: int
    unit_dollars: str
    dollars_an_hour: str
    most_capacity: int
    password_length: int
    load_retries: Period


class Query(TypedDict):
    """Of Athena."""

    scanned_gigabytes: int
    scanned_bytes: int
    dollars: str
    """What a query costs that scans as much."""
    terabyte_dollars: int
    first_day: str


class LogGroup(TypedDict):
    """Of subscriptions to log groups."""

    retries: Period


class Rule(TypedDict):
    """Of the targets of EventBridge rules."""

    retries: int
    event_age: Period


class Schedule(TypedDict):
    """Of the targets of schedules."""

    retries: int
    run_age: Period


class Stream(TypedDict):
    """Of streams, and of how functions read them."""

    retention: Period
    retries: int
    record_age: Period
    failed_record_retention: Period


class Function(TypedDict):
    """Of functions."""

    memory_megabytes: int
    unreserved_concurrency: int
    event_age: Period
    execution_days: int


class Call(TypedDict):
    """Of a function's calls to AWS."""

    attempts: Number
    connect_seconds: int
    response_seconds: int
    attempt_seconds: int
    pause_seconds: int


class Redrive(TypedDict):
    """Of the dead-letter tool."""

    hidden_seconds: int
    invocation_seconds: int


class Rollout(TypedDict):
    """Of gradual deployments."""

    alias: str
    percent: int
    minutes: int
    failed_calls: int
    only_failed_calls: int
    fewest_calls: int


class Numbers(TypedDict):
    """The numbers by kind."""

    queue: Queue
    rule: Rule
    schedule: Schedule
    stream: Stream
    function: Function
    call: Call
    delivery: Delivery
    warehouse: Warehouse
    query: Query
    log_group: LogGroup
    api: Api
    redrive: Redrive
    database: Database
    cache: Cache
    rollout: Rollout


def _subscriber() -> Subscriber:
    hidden = queue.mapped(queue.SUBSCRIBER_SECONDS)
    ends = queue.ends("uploads", hidden["visibility_timeout"], fifo=False)
    return cast("Subscriber", {"timeout": queue.SUBSCRIBER_SECONDS, **hidden, **ends})


def numbers() -> Numbers:
    """The numbers of all kinds."""
    return {
        "queue": {
            "retention": queue.RETENTION.as_dict(),
            "dead_letter_retention": queue.DEAD_LETTER_RETENTION.as_dict(),
            "dead_letter_time": queue.DEAD_LETTER_TIME.as_dict(),
            "visibility_factor": queue.MAPPED_VISIBILITY_FACTOR.as_dict(),
            "subscriber": _subscriber(),
        },
        "rule": {"retries": rules.RETRIES, "event_age": rules.EVENT_AGE.as_dict()},
        "schedule": {"retries": schedule.RETRIES, "run_age": schedule.RUN_AGE.as_dict()},
        "stream": {
            "retention": stream.RETENTION.as_dict(),
            "retries": stream.RETRIES,
            "record_age": stream.RECORD_AGE.as_dict(),
            "failed_record_retention": stream.FAILED_RECORD_RETENTION.as_dict(),
        },
        "function": {
            "memory_megabytes": function.MEMORY_MEGABYTES,
            "unreserved_concurrency": function.UNRESERVED_CONCURRENCY,
            "event_age": function.EVENT_AGE.as_dict(),
            "execution_days": function.EXECUTION_DAYS,
        },
        "call": {
            "attempts": function.CALL_ATTEMPTS.as_dict(),
            "connect_seconds": function.CONNECT_SECONDS,
            "response_seconds": function.RESPONSE_SECONDS,
            "attempt_seconds": function.ATTEMPT_SECONDS,
            "pause_seconds": function.PAUSE_SECONDS,
        },
        "delivery": {
            "attempts": delivery.PROCESSING_ATTEMPTS.as_dict(),
            "processing_megabytes": delivery.PROCESSING_MEGABYTES,
            "bucket_retries": delivery.BUCKET_RETRIES.as_dict(),
            "table_retries": delivery.TABLE_RETRIES.as_dict(),
        },
        "warehouse": {
            "port": redshift.PORT,
            "base_capacity": redshift.BASE_CAPACITY,
            "unit_dollars": f"{redshift.UNIT_DOLLARS:g}",
            "dollars_an_hour": f"{redshift.UNIT_DOLLARS * redshift.BASE_CAPACITY:g}",
            "most_capacity": redshift.MOST_CAPACITY,
            "password_length": redshift.PASSWORD_LENGTH,
            "load_retries": redshift.LOAD_RETRIES.as_dict(),
        },
        "query": {
            "scanned_gigabytes": athena.MOST_SCANNED_GIGABYTES,
            "scanned_bytes": athena.MOST_SCANNED_GIGABYTES * 1024**3,
            "dollars": f"{athena.TERABYTE_DOLLARS * athena.MOST_SCANNED_GIGABYTES / 1024:.2f}",
            "terabyte_dollars": athena.TERABYTE_DOLLARS,
            "first_day": athena.FIRST_DAY,
        },
        "log_group": {"retries": log_group.RETRIES.as_dict()},
        "redrive": {
            "hidden_seconds": dead_letters.HIDDEN_SECONDS,
            "invocation_seconds": dead_letters.INVOCATION_SECONDS,
        },
        "api": {
            "integration_seconds": api.INTEGRATION_SECONDS,
            "refused_data": api.REFUSED_DATA,
        },
        "database": {
            "port": aurora.PORT,
            "most_capacity": aurora.MOST_CAPACITY,
            "backup_retention": aurora.BACKUP_RETENTION.as_dict(),
            "migration_time": aurora.MIGRATION_TIME.as_dict(),
        },
        "cache": {
            "port": cache.PORT,
            "reader_port": cache.READER_PORT,
            "storage_gigabytes": cache.STORAGE_GIGABYTES,
            "units_per_second": cache.UNITS_PER_SECOND,
        },
        "rollout": {
            "alias": rollout.ALIAS,
            "percent": rollout.PERCENT,
            "failed_calls": rollout.FAILED_CALLS,
            "only_failed_calls": rollout.ONLY_FAILED_CALLS,
            "minutes": rollout.MINUTES,
            "fewest_calls": rate.FEWEST_CALLS,
        },
    }
