"""How Schemathesis calls a local stack: authorized, and with numbers as clients write them.

Schemathesis loads this module into its own environment; the variables are those that
`sls-patterns local up` prints.
"""

import base64
import hashlib
import hmac
import os
import time
from typing import Any

import boto3
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

TOKEN = os.environ.get("TOKEN")
SECRET = os.environ.get("SigningSecretArn")  # noqa: SIM112 - an output of the stack


class Token:
    """Sends the token that every route accepts."""

    def __call__(self, request: Any) -> Any:
        request.headers["authorization"] = f"Bearer {TOKEN}"
        return request


class Signature:
    """Signs with the credentials of the environment, as IAM authorization expects it."""

    def __call__(self, request: Any) -> Any:
        signed = AWSRequest(request.method, request.url, data=request.body)
        session = boto3.Session()
        credentials = session.get_credentials()
        assert credentials
        SigV4Auth(credentials, "execute-api", session.region_name).add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request


class Webhook:
    """Signs as Standard Webhooks does, where no header is missing on purpose."""

    def __init__(self) -> None:
        found = boto3.client("secretsmanager").get_secret_value(SecretId=SECRET)
        secret, *_ = found["SecretString"].split()
        self._key = base64.b64decode(secret.removeprefix("whsec_") + "==")

    def __call__(self, request: Any) -> Any:
        sent = {name.lower() for name in request.headers}
        if not {"webhook-id", "webhook-timestamp", "webhook-signature"} <= sent:
            return request
        body = request.body or b""
        content = body.encode() if isinstance(body, str) else body
        now = str(int(time.time()))
        identity = request.headers["webhook-id"]
        identity = identity.encode("latin-1") if isinstance(identity, str) else identity
        text = identity + f".{now}.".encode() + content
        signature = base64.b64encode(hmac.new(self._key, text, hashlib.sha256).digest()).decode()
        request.headers["webhook-timestamp"] = now
        request.headers["webhook-signature"] = f"v1,{signature}"
        return request


schemathesis.auth.set_from_requests(Webhook() if SECRET else Token() if TOKEN else Signature())


@schemathesis.hook  # type: ignore[untyped-decorator]
def map_body(context: Any, body: Any) -> Any:  # noqa: ARG001
    return as_written(body)


def as_written(value: Any) -> Any:
    """Return the value with 177 for 177.0: JSON Schema takes both for integers, Pydantic one."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [as_written(each) for each in value]
    if isinstance(value, dict):
        return {key: as_written(inner) for key, inner in value.items()}
    return value
