"""An object that does not exist is 404 only for who may list the bucket.

AWS: GetObject and HeadObject of a missing key answer 403 unless the caller has `s3:ListBucket` on
the bucket.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html

Emulator: answers 404 whatever the caller may do.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.core.router import extract_access_key_id
from ministack.services import s3

from sls_patterns_cli.local.emulator.adapters import replace


def apply() -> None:
    replace(s3, "handle_request", "0856144f19e7", _hidden)


def _hidden(handle: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def handle_request(
        method: str, path: str, headers: dict[str, Any], body: bytes, query: Any, **options: Any
    ) -> Any:
        answer = await handle(method, path, headers, body, query, **options)
        reads = method in {"GET", "HEAD"} and not options.get("internal")
        bucket, key = s3._parse_bucket_key(path, headers)
        if not (reads and key and answer[0] == HTTPStatus.NOT_FOUND and bucket in s3._buckets):
            return answer
        return answer if _may_list(bucket, headers, query) else _denied(bucket, key)

    return handle_request


def _may_list(bucket: str, headers: dict[str, Any], query: Any) -> bool:
    caller = extract_access_key_id(headers, query)
    denied = iam_evaluator.enforce(
        caller, "s3:ListBucket", "s3", get_region(), resource_arn=f"arn:aws:s3:::{bucket}"
    )
    return not denied


def _denied(bucket: str, key: str) -> Any:
    return s3._error("AccessDenied", "Access Denied", HTTPStatus.FORBIDDEN, f"/{bucket}/{key}")
