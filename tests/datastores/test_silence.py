"""B19: a service that takes connections and never answers is an error in time."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from environments import environment, link_modules, node
from rendering import render_project
from tools import run

ADD_PYTHON = """
from datetime import UTC, datetime
from scalable_webhook.adapters.events import EventStore
from scalable_webhook.models import Event

now = datetime.now(UTC)
event = Event(id="1", type="a", occurred_at=now, received_at=now, message_id="m", body="{}")
EventStore.from_environment().add(event)
"""
ADD_TYPESCRIPT = """
import { EventStore } from "./src/adapters/events/index.ts";

const now = new Date();
const event = { id: "1", type: "a", occurredAt: now, receivedAt: now, messageId: "m", body: "{}" };
EventStore.fromEnvironment().add(event).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
"""
# Two attempts of 1 second to connect and 3 to be answered, and the pause between them.
LONGEST_SECONDS = 9


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a service that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_a_service_that_never_answers_is_an_error_in_time(
    runtime: str, silent: str, tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", pattern="scalable-webhook", runtime=runtime)
    command = python(project) if runtime == "python" else typescript(project)
    variables = {
        "AWS_ENDPOINT_URL": silent,
        "AWS_MAX_ATTEMPTS": "2",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "EVENTS_TABLE_NAME": "events",
        "PYTHONPATH": "src",
    }

    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=project,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "imeout" in done.stderr
    assert 6 <= time.monotonic() - began < LONGEST_SECONDS + 5  # to start on a busy machine


def python(project: Path) -> list[str | Path]:
    return [environment(project) / "python", "-c", ADD_PYTHON]


def typescript(project: Path) -> list[str | Path]:
    link_modules(project)
    (project / "add.ts").write_text(ADD_TYPESCRIPT)
    esbuild = "node_modules/esbuild/bin/esbuild"
    run([esbuild, "--bundle", "--platform=node", "add.ts", "--outfile=add.cjs"], project)
    return [node().executable, "add.cjs"]
