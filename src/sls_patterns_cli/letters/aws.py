"""Clients of AWS from the standard environment, and its errors as one line each."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sls_patterns_cli.errors import UserError

Clients = Callable[[str], Any]
"""Returns the boto3 client of a service, such as `sqs`."""

INVOCATION_SECONDS = 900
"""The longest that a function takes: https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html."""

EXECUTION_SECONDS = 300
"""The longest that an express execution takes: https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html."""

CONNECTIONS = 32
"""To a service, at the same time."""

REFUSED_CREDENTIALS = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}


def connect() -> Clients:
    """Return the clients of the account that the environment names; raises UserError for none.

    AWS's own variables and files say which: `AWS_PROFILE`, `AWS_REGION`, `AWS_ENDPOINT_URL` and the
    like. A function is invoked once, and waited for as long as it may take: a second attempt of the
    SDK would run beside the first. An express execution is waited for as long.
    """
    import boto3
    from botocore.config import Config

    with explained("AWS"):
        session = boto3.Session()
        if session.get_credentials() is None:
            raise UserError("There are no AWS credentials: set AWS_PROFILE, or sign in.")
        if session.region_name is None:
            raise UserError("There is no AWS region: set AWS_REGION.")
    usual = Config(
        retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=CONNECTIONS
    )
    configs = {
        "lambda": Config(read_timeout=INVOCATION_SECONDS + 30, retries={"total_max_attempts": 1}),
        "stepfunctions": usual.merge(Config(read_timeout=EXECUTION_SECONDS + 30)),
    }
    clients: dict[str, Any] = {}
    create: Any = session.client  # its type knows only the services whose types are installed

    creating = threading.Lock()

    def client(service: str) -> Any:
        with creating:  # a client may be used in several threads, a session not
            if service not in clients:
                clients[service] = create(service, config=configs.get(service, usual))
        return clients[service]

    return client


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Raise an error of AWS as a UserError of one line that names what was asked for."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"{what}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Say in one line what AWS refuses."""
    code = code_of(error)
    if not code:
        return str(error)
    message = str(_answered(error).get("Message") or code)
    if code in REFUSED_CREDENTIALS:
        return f"AWS refuses the credentials: {message}"
    return f"no permission: {message}" if code in DENIED else message


def code_of(error: Exception) -> str:
    """Return the code of an error that AWS answered; "" for any other."""
    return str(_answered(error).get("Code") or "")


def _answered(error: Exception) -> dict[str, Any]:
    """Return what AWS says of an error; a lost connection has the response None."""
    answer = getattr(error, "response", None) or {}
    said: dict[str, Any] = answer.get("Error", {})
    return said


def is_denied(error: Exception) -> bool:
    return code_of(error) in DENIED
