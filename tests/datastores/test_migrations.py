"""A generated project's migrations on a real PostgreSQL: once each, whoever comes when."""

import json
import os
import queue
import re
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from environments import environment, link_modules, node
from local.support import wait_until
from physical import physical_id
from rendering import render_project
from tools import run
from variants import by_one_worker

from sls_patterns_cli.cli import explaining
from sls_patterns_cli.local import session
from sls_patterns_cli.local.emulator.datastores import postgresql
from sls_patterns_cli.terminal.progress import Progress

MIGRATE_PYTHON = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from scalable_webhook.adapters.database import Database
from scalable_webhook.adapters.schema import Schema

schemas = [Schema(Database.from_environment()) for _ in range(int(sys.argv[1]))]
with ThreadPoolExecutor(len(schemas)) as pool:
    print(json.dumps(list(pool.map(lambda schema: schema.migrate(lambda: 30_000), schemas))))
"""
MIGRATE_TYPESCRIPT = """
import { Database } from "./src/adapters/database.ts";
import { Schema } from "./src/adapters/schema.ts";

const databases = Array.from({ length: Number(process.argv[2]) }, () => Database.fromEnvironment());
Promise.all(databases.map((database) => new Schema(database).migrate(() => 30_000))).then(
  (applied) => {
    console.log(JSON.stringify(applied));
    process.exit(); // else the connections would be kept
  },
);
"""
ATTEMPT = """
import json, psycopg, sys

def may(statement):
    try:
        psycopg.connect(autocommit=True).execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True

print(json.dumps([may(statement) for statement in sys.argv[1:]]))
"""
ALL = ["0000_application_user.sql", "0001_events.sql"]


@pytest.fixture(scope="module", params=by_one_worker(__name__, "python", "typescript"))
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    destination = tmp_path_factory.mktemp("migrations") / "project"
    answers = {"pattern": "scalable-webhook", "iac": "sam", "datastore": "aurora-postgresql"}
    made = render_project(destination, **answers, runtime=request.param)
    if request.param == "typescript":
        link_modules(made)
    return made


@pytest.fixture
def server() -> Iterator[postgresql.Server]:
    running = postgresql.start("events", "master")
    yield running
    running.stop()


def execute(
    project: Path,
    server: postgresql.Server,
    *command: str | Path,
    user: str = "master",
    name: str = "events",
) -> "subprocess.CompletedProcess[str]":
    """Run code of the project as one of its functions would run it."""
    database = {
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGUSER": user,
        "PGDATABASE": name,
        "PGCONNECT_TIMEOUT": "20",
    }
    aws = {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    return subprocess.run(
        list(command),
        env=os.environ | aws | database | {"PYTHONPATH": "src"},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def attempt(
    project: Path, server: postgresql.Server, times: int = 1, **whom: str
) -> "subprocess.CompletedProcess[str]":
    """Let as many apply the migrations at the same time."""
    if not (project / "package.json").exists():
        python = environment(project) / "python"
        return execute(project, server, python, "-c", MIGRATE_PYTHON, str(times), **whom)
    (project / "migrate.ts").write_text(MIGRATE_TYPESCRIPT)
    esbuild = "node_modules/esbuild/bin/esbuild"
    run([esbuild, "--bundle", "--platform=node", "migrate.ts", "--outfile=migrate.cjs"], project)
    return execute(project, server, node().executable, "migrate.cjs", str(times), **whom)


def migrate(
    project: Path, server: postgresql.Server, times: int = 1, **whom: str
) -> list[list[str]]:
    done = attempt(project, server, times, **whom)
    assert done.returncode == 0, done.stderr
    applied: list[list[str]] = json.loads(done.stdout)
    return applied


def test_of_many_at_a_time_one_applies_all_of_them(
    project: Path, server: postgresql.Server
) -> None:
    assert sorted(migrate(project, server, times=8)) == [*[[]] * 7, ALL]
    assert migrate(project, server) == [[]]


@contextmanager
def not_ready(server: postgresql.Server, behave: Callable[[socket.socket], None]) -> Iterator[None]:
    """A server that only listens while `behave` does with its port what it does, and then runs."""

    def become_ready() -> None:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((server.host, server.port))
            listener.listen(0)
            listener.settimeout(20)
            behave(listener)
        server.resume()

    server.pause()
    with ThreadPoolExecutor(1) as pool:
        becoming = pool.submit(become_ready)
        yield
        becoming.result()


def reset_twice(listener: socket.socket) -> None:
    for _ in range(2):
        connection, _address = listener.accept()
        # Closed without lingering, a connection is reset.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def ignore_for_six_seconds(listener: socket.socket) -> None:
    """With a full backlog what wants to connect gets no answer at all."""
    with ExitStack() as stack:
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        threading.Event().wait(6)


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(reset_twice, id="A13-resets-connections"),
        pytest.param(ignore_for_six_seconds, id="B4-answers-nothing-for-longer-than-5-seconds"),
    ],
)
def test_a_database_that_is_not_ready_yet_is_waited_for(
    project: Path, server: postgresql.Server, behave: Callable[[socket.socket], None]
) -> None:
    with not_ready(server, behave):
        assert migrate(project, server) == [ALL]


@contextmanager
def broken_migration(project: Path) -> Iterator[None]:
    (folder,) = project.glob("src/**/migrations")
    index, broken = folder / "index.ts", folder / "0002_broken.sql"
    named = index.read_text() if index.exists() else None
    broken.write_text("CREATE TABLE half (); SELECT no_such_function();\n")
    if named:
        line = f'import broken from "./{broken.name}" with {{ type: "text" }};\n\nexport'
        entry = f'  ["{broken.name}", broken],\n]);'
        index.write_text(named.replace("\nexport", line).replace("]);", entry))
    try:
        yield
    finally:
        broken.unlink()
        if named:
            index.write_text(named)


def test_one_that_fails_leaves_nothing_behind(project: Path, server: postgresql.Server) -> None:
    with broken_migration(project):
        assert "no_such_function" in attempt(project, server).stderr

    assert migrate(project, server) == [ALL]


@pytest.mark.parametrize("project", ["python"], indirect=True)
def test_the_application_may_add_and_read_and_no_more(
    project: Path, server: postgresql.Server
) -> None:
    allowed = {
        "INSERT INTO events VALUES ('1', 'a', now(), now(), 'm', '{}')": True,
        "SELECT * FROM events": True,
        "UPDATE events SET type = 'b'": False,
        "DELETE FROM events": False,
        "SELECT * FROM migrations": False,
        "CREATE TABLE mine ()": False,
    }
    migrate(project, server)

    python = environment(project) / "python"
    done = execute(project, server, python, "-c", ATTEMPT, *allowed, user="service")

    assert json.loads(done.stdout) == list(allowed.values()), done.stderr


@pytest.fixture(scope="module", params=by_one_worker(__name__, "python", "typescript"))
def guest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that may use an existing cluster."""
    destination = tmp_path_factory.mktemp("guest") / "project"
    answers = {"pattern": "scalable-webhook", "iac": "sam", "datastore": "aurora-postgresql"}
    made = render_project(destination, **answers, runtime=request.param, parameters="[cluster]")
    if request.param == "typescript":
        link_modules(made)
    return made


def prepare(project: Path, server: postgresql.Server, name: str) -> None:
    """Do as the README says, for a service of that name; the role of all services may be there."""
    page = explaining.page("existing-cluster")
    assert "sls-patterns explain existing-cluster" in (project / "README.md").read_text()
    (block,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    statements = [each.strip() for each in re.sub(r"\bshop", name, block).split(";")]
    for statement in filter(None, statements):
        run_as(server, "master", "events", statement)


def run_as(server: postgresql.Server, user: str, database: str, statement: str) -> str:
    """Run a statement by psql, unless it makes the role that is there; return what went wrong."""
    psql = postgresql.binaries() / "psql"
    address = ["-h", server.host, "-p", str(server.port), "-U", user, "-d", database]
    done = subprocess.run(
        [psql, *address, "-v", "ON_ERROR_STOP=1", "-c", statement],
        capture_output=True,
        text=True,
        check=False,
    )
    if statement != "CREATE ROLE service" and user == "master":
        assert (done.returncode, done.stderr) == (0, "")
    return done.stderr


def test_services_share_an_existing_cluster_and_no_database(
    guest: Path, server: postgresql.Server
) -> None:
    """Facts O34 and O37: as the README prepares it, and with no right to make users."""
    for name in ("shop", "stock"):
        prepare(guest, server, name)
        assert migrate(guest, server, user=f"{name}_migrations", name=name) == [ALL]
    read = "SELECT * FROM events"

    assert run_as(server, "shop", "shop", read) == ""
    assert "permission denied for table" in run_as(server, "shop", "shop", "DELETE FROM events")
    assert "permission denied for database" in run_as(server, "shop", "stock", read)
    assert "permission denied for database" in run_as(server, "shop_migrations", "stock", read)
    assert "permission denied to create role" in run_as(
        server, "shop_migrations", "shop", "CREATE ROLE other"
    )


@pytest.mark.parametrize("guest", ["python"], indirect=True)
def test_a_cluster_of_its_own_has_the_user_of_the_functions(
    guest: Path, server: postgresql.Server
) -> None:
    assert migrate(guest, server) == [ALL]
    assert run_as(server, "service", "events", "SELECT * FROM events") == ""


@pytest.fixture(scope="module")
def stack(project: Path) -> Iterator[session._Stack]:
    with session._stack(project, Progress()) as running:
        yield running


class Answers(BaseHTTPRequestHandler):
    """Stands for the address at which CloudFormation waits for an answer."""

    received: ClassVar[queue.SimpleQueue[dict[str, str]]] = queue.SimpleQueue()

    def do_PUT(self) -> None:
        self.received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


def test_every_request_of_cloudformation_is_answered(stack: session._Stack) -> None:
    def ask(kind: str, **more: str) -> dict[str, str]:
        request = {"RequestType": kind, "ResponseURL": address, **identity, **more}
        stack.emulator.client("lambda").invoke(
            FunctionName=physical_id(stack.emulator.client, "MigrateFunction"),
            InvocationType="Event",
            Payload=json.dumps(request),
        )
        return Answers.received.get(timeout=60)

    identity = {"StackId": "stack", "RequestId": "request", "LogicalResourceId": "Schema"}
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as answers:
        threading.Thread(target=answers.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{answers.server_port}/answer"

        outcomes = [ask("Update")["Status"], ask("Delete")["Status"]]
        databases, name = stack.emulator.client("rds"), stack.outputs["EventsClusterId"]
        databases.stop_db_cluster(DBClusterIdentifier=name)
        refused = ask("Update")
        databases.start_db_cluster(DBClusterIdentifier=name)
        answers.shutdown()

    assert outcomes == ["SUCCESS", "SUCCESS"]
    assert (refused["Status"], refused["PhysicalResourceId"]) == ("FAILED", "schema")
    assert re.search("OperationalError|ECONNREFUSED", refused["Reason"])


def test_a_request_that_cannot_be_answered_ends_in_the_dead_letter_queue(
    stack: session._Stack,
) -> None:
    name = physical_id(stack.emulator.client, "MigrateFunction")
    url = stack.outputs["MigrateDeadLetterQueueUrl"]
    request = json.dumps({"RequestType": "Update", "ResponseURL": "http://127.0.0.1:1/"})

    stack.emulator.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=request
    )

    sqs = stack.emulator.client("sqs")
    (letter,) = wait_until(
        lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"), 60
    )
    assert json.loads(letter["Body"])["requestPayload"]["RequestType"] == "Update"
