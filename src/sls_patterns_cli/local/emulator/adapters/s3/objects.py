"""How adapters put an object into a bucket in the name of a role; it changes nothing itself."""

import asyncio
from typing import Any

from ministack.services import s3

from sls_patterns_cli.local.emulator.adapters.iam.permissions import role_may


def put(role_arn: str, bucket_arn: str, key: str, content: bytes) -> None:
    """Put an object, and send the bucket's notifications.

    Blocks, so it is called from a thread of its own. Raises PermissionError when the role may not.
    """
    if not role_may(role_arn, "s3:PutObject", f"{bucket_arn}/{key}"):
        raise PermissionError(f"{role_arn} may not put {key} into {bucket_arn}")
    headers = {"content-length": str(len(content)), "host": "s3.localhost"}
    path = f"/{bucket_arn.rpartition(':')[2]}/{key}"
    request: Any = s3.handle_request("PUT", path, headers, content, {}, internal=True)
    asyncio.run(request)
