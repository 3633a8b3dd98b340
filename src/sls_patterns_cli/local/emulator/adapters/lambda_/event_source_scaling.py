"""A queue's consumers multiply under load unless the event source says how many there may be.

AWS: Lambda starts with 5 concurrent batches and adds up to 300 a minute while messages are
waiting; ScalingConfig.MaximumConcurrency is the limit. Of a FIFO queue each message group has one
batch at a time, and groups run side by side.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html

Emulator: without the setting it never runs more than 5, so that nobody would notice its absence.
Here it is what AWS reaches within 9 seconds of backlog, at once. Of a FIFO queue it runs one batch
at a time, since it does not split batches by group; where a batch is one message there is nothing
to split, and it holds back the rest of the group itself.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc

from sls_patterns_cli.local.emulator.adapters import replace

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
        if (queue or {}).get("is_fifo") and mapping.get("BatchSize") != 1:
            return 1
        limit = (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency")
        return int(limit or UNLIMITED)

    return concurrency
