"""What `conftest.py` takes: a stack that no one uses is under test, as it was deployed."""

import signal

import pytest

from e2e.harness import tool


def pytest_configure() -> None:
    # SIGTERM ends a proof as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Only smoke tests are safe on a stack that may be in use."""
    tool.start(smoke=all(item.get_closest_marker("smoke") for item in session.items))


@pytest.fixture(scope="session")
def outputs() -> dict[str, str]:
    """The outputs of the stack."""
    found: dict[str, str] = tool.ask("outputs")
    return found
