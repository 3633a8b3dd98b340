"""What the tests of the local stack share."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REGION = "eu-west-1"
RUNTIME = "python3.13"

DeployStack = Callable[..., dict[str, str]]
Client = Callable[[str], Any]


def wait_until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true answer of `condition`; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.05)
    return answer


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
