"""Clients of AWS, one of each service for all threads."""

import threading
from functools import cache
from typing import Any

import boto3

_making = threading.Lock()


def client(service: str) -> Any:
    """The client of a service, such as `sqs`, in the account and region of the environment."""
    with _making:  # botocore's session makes one client at a time
        return _client(service)


@cache
def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]
