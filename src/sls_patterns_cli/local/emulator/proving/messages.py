"""What is sent to be followed: its text is found again in whatever a service makes of it."""

import base64
import gzip
import json
import re
from contextlib import suppress
from typing import Any

POISON = "sls-patterns-poison"
"""A message that has it in its text fails where the fault is `poison`."""

_ENCODED = re.compile(r'"[dD]ata": ?"([A-Za-z0-9+/]+={0,2})"')
_GZIPPED = b"\x1f\x8b"


def readable(event: Any) -> str:
    """Return the text of an event, with what Kinesis, Firehose and CloudWatch Logs encode in it."""
    text = event if isinstance(event, str) else json.dumps(event)
    for encoded in _ENCODED.findall(text):
        with suppress(ValueError, OSError):
            content = base64.b64decode(encoded)
            content = gzip.decompress(content) if content[:2] == _GZIPPED else content
            text += content.decode(errors="replace")
    return text
