"""A queue's consumers multiply under load unless the event source says how many there may be.

AWS: Lambda starts with 5 concurrent batches and adds up to 300 a minute while messages are
waiting; ScalingConfig.MaximumConcurrency is the limit.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html

Emulator: without the setting it never runs more than 5, so that nobody would notice its absence.
Here it is what AWS reaches within 9 seconds of backlog, at once.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc

from sls_patterns_cli.local.adapters import replace

UNLIMITED = 5 + 9 * 300 // 60


def apply() -> None:
    replace(lambda_svc, "_sqs_esm_concurrency", "d3e9d1e865aa", _scaled)


def _scaled(_original: Callable[..., Any]) -> Callable[..., Any]:
    def concurrency(
        mapping: dict[str, Any],
        _function: Any,
        _config: Any,
        queue: dict[str, Any] | None = None,
    ) -> int:
        if (queue or {}).get("is_fifo"):
            return 1  # the emulator does not split a batch by message group
        limit = (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency")
        return int(limit or UNLIMITED)

    return concurrency
