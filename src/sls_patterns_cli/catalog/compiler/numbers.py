"""The numbers that all stacks share, for templates: each has its home in the module of its kind."""

from sls_patterns_cli.catalog.compiler.kinds import function, queue, rules, schedule, stream
from sls_patterns_cli.catalog.compiler.records import Facts


def numbers() -> dict[str, Facts]:
    """The numbers by kind."""
    return {
        "queue": {
            "retention": queue.RETENTION.as_dict(),
            "dead_letter_retention": queue.DEAD_LETTER_RETENTION.as_dict(),
            "receives": queue.RECEIVES.as_dict(),
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
            "event_age": function.EVENT_AGE.as_dict(),
        },
        "call": {
            "attempts": function.CALL_ATTEMPTS.as_dict(),
            "connect_seconds": function.CONNECT_SECONDS,
            "response_seconds": function.RESPONSE_SECONDS,
            "attempt_seconds": function.ATTEMPT_SECONDS,
            "pause_seconds": function.PAUSE_SECONDS,
        },
    }
