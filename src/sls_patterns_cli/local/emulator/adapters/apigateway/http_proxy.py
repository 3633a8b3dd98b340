"""How APIs of both kinds ask an HTTP system that stands behind them.

A stage variable may be any part of its address but the protocol. The local stack's stand-ins for
such systems are on this machine and have no certificate, so that an `https` address there is asked
by plain HTTP; AWS could not reach it at all.
https://docs.aws.amazon.com/apigateway/latest/developerguide/aws-api-gateway-stage-variables-reference.html#stage-variables-in-integration-HTTP-uris
"""

import http.client
import re
import urllib.parse
from collections.abc import Iterable, Mapping

STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.(\w+)\}")
LOOPBACK = "127.0.0.1"

Headers = Iterable[tuple[str, str]]
Answer = tuple[int, list[tuple[str, str]], bytes]
FAILURES = (OSError, http.client.HTTPException)
"""What `ask` raises where a system does not answer; TimeoutError where it is late."""


def with_stage_variables(address: str, variables: Mapping[str, str]) -> str:
    """Fill in the variables; raises ValueError for one that the stage does not have."""

    def value(found: "re.Match[str]") -> str:
        if found[1] not in variables:
            raise ValueError(f"the stage has no variable {found[1]}")
        return variables[found[1]]

    return STAGE_VARIABLE.sub(value, address)


def quoted(path: str) -> str:
    """A decoded path as it may stand in an address."""
    return urllib.parse.quote(path, safe="/:@!$&'()*+,;=~")


def ask(address: str, method: str, headers: Headers, body: bytes, seconds: float) -> Answer:
    """Send one request, and follow nothing."""
    parts = urllib.parse.urlsplit(address)
    secure = parts.scheme == "https" and parts.hostname != LOOPBACK
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=seconds)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.putrequest(method, target or "/", skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body or method in {"POST", "PUT", "PATCH"}:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()
