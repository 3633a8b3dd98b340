"""What `conftest.py` takes: a stack that no one uses is under test, as it was deployed."""

import signal

import pytest

from e2e.harness import tool


def pytest_configure() -> None:
    # SIGTERM ends a proof as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


@pytest.fixture(scope="session")
def outputs(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the outputs of the stack; only smoke tests are safe on one that may be in use."""
    tool.start(smoke=all(item.get_closest_marker("smoke") for item in request.session.items))
    found: dict[str, str] = tool.ask("outputs")
    return found
