"""`aws:SecureTransport` is true.

AWS: the key says whether a request came over TLS; a queue policy denies what did not.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport

Emulator: it is reached over plain HTTP on 127.0.0.1, so such a policy denies everything.
"""

from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator

from sls_patterns_cli.local.emulator.adapters import replace


def apply() -> None:
    replace(iam_evaluator, "_resolve_condition_key", "15e26964cd38", _secure)


def _secure(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def resolve_condition_key(key: str, context: Any) -> Any:
        return "true" if key.lower() == "aws:securetransport" else resolve(key, context)

    return resolve_condition_key
