"""The trace that a request or an event belongs to; it changes nothing itself.

https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

current: ContextVar[str | None] = ContextVar("trace_header", default=None)
"""The trace header of the call of AWS that is being served, which goes with what it causes."""


def fields(header: str) -> dict[str, str]:
    """Return what a trace header says, such as `Root` and `Sampled`."""
    parts = (part.partition("=") for part in header.split(";"))
    return {name.strip(): value.strip() for name, _, value in parts if value}


def new_header() -> str:
    """Return the header of a trace that begins here."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"


@contextmanager
def carried(header: str | None) -> Iterator[None]:
    """Let what is caused in here belong to the trace of this header, or to none."""
    token = current.set(header)
    try:
        yield
    finally:
        current.reset(token)
