"""The AWS emulator: a child process on a free port of 127.0.0.1, gone when we are."""

import http.client
import importlib.metadata
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator import runtimes, tether, timescale

VERSION = "1.5.33"
"""The one version of ministack that the adapters were written for."""

HEALTH = "/_ministack/health"
"""Where it answers once it is ready."""

RUNTIME_PACKAGES = "SLS_PATTERNS_RUNTIME_PACKAGES"
"""A setting: a JSON object, Lambda runtime to the folder of the packages that it has."""

QUERY_PACKAGES = "SLS_PATTERNS_QUERY_PACKAGES"
"""A setting: the folder of the packages by which tables are written and queried."""

HOST_PREFIXES = (runtimes.FOLDER / "host-prefixes.mjs").as_uri()
"""What programs on Node.js import first, as the SDK for JavaScript lacks the setting."""

START_SECONDS = 30.0
"""How long the start may take (it takes less than one second on an idle machine)."""


def require() -> None:
    """Raise UserError unless this machine has the extra, with the emulator's known version."""
    if os.name != "posix":
        raise UserError("The local stack runs on Linux and macOS (on Windows: in WSL).")
    try:
        found = importlib.metadata.version("ministack")
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            "The local stack is not installed; install sls-patterns-cli with its extra [local]"
        ) from None
    if found != VERSION:
        raise UserError(
            f"The local stack needs ministack {VERSION}, and {found} is installed: "
            f"pip install ministack=={VERSION}"
        )


def _unconfigured(base: Mapping[str, str]) -> dict[str, str]:
    """`base` without the user's configuration of AWS, and without a proxy for this machine."""
    own = {name: value for name, value in base.items() if not name.startswith("AWS_")}
    direct = ",".join(filter(None, (base.get("no_proxy") or base.get("NO_PROXY"), "127.0.0.1")))
    return {
        **own,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": direct,
        "no_proxy": direct,
    }


@contextmanager
def unconfigured() -> Iterator[None]:
    """Keep the user's configuration of AWS from the SDKs in this process."""
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(_unconfigured(before))
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(frozen=True)
class Address:
    """Where an emulator answers, whichever process has started it."""

    url: str
    region: str

    def client(self, service: str) -> Any:
        """A boto3 client of a service on the emulator."""
        import boto3
        from botocore.config import Config

        create: Any = boto3.client  # its type knows only the services whose types are installed
        return create(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 (the emulator's administrator)
            config=Config(retries={"total_max_attempts": 1}),
        )

    def answers(self) -> bool:
        """Tell whether the emulator is there, and ready."""
        host = self.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=2)
        try:
            connection.request("GET", HEALTH)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


class Emulator:
    """A running emulator; `with` it, or `start` and `stop` it.

    `interpreters` maps Lambda runtimes to executables; `settings` are further variables of its
    environment. Raises UserError when it does not start. Time is divided by `scale`, or as our own
    environment says.
    """

    def __init__(
        self,
        region: str,
        interpreters: Mapping[str, Path | str],
        settings: Mapping[str, str] | None = None,
        scale: timescale.Scale | None = None,
    ) -> None:
        self.region = region
        self.scale = scale or timescale.given(os.environ)
        self._interpreters = {runtime: str(path) for runtime, path in interpreters.items()}
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._tether: tether.Tether | None = None
        self._temporary: Path | None = None
        self.port = 0

    def another(self) -> Self:
        """One like this that has not been started."""
        return type(self)(self.region, self._interpreters, self._settings, self.scale)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def _address(self) -> Address:
        return Address(self.url, self.region)

    @property
    def pid(self) -> int:
        return self._started().pid

    def client_environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """`base` with which any AWS SDK or CLI talks to this emulator, and to nothing else."""
        return {
            **_unconfigured(base),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            # Of a host name such as sync-states that an SDK makes of it, there is none here.
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "NODE_OPTIONS": f"{base.get('NODE_OPTIONS', '')} --import={HOST_PREFIXES}".strip(),
            timescale.VARIABLE: str(self.scale.factor),
        }

    def client(self, service: str) -> Any:
        """A boto3 client of a service on this emulator."""
        return self._address.client(service)

    def launch(self) -> None:
        """Start the process without waiting; `wait` does that."""
        require()
        self._temporary = Path(tempfile.mkdtemp(prefix="sls-patterns-"))
        self._tether = tether.Tether.open()
        # The listening socket is ours before the emulator starts: no other process can take the
        # port in between.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            descriptors = (listener.fileno(), self._tether.read_fd)
            with (self._temporary / "emulator.log").open("wb") as log:
                self._process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "sls_patterns_cli.local.emulator.adapters",
                        *map(str, descriptors),
                    ],
                    env=self._environment(),
                    cwd=self._temporary,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=descriptors,
                    start_new_session=True,
                )

    def wait(self) -> None:
        """Return when the emulator answers; raises UserError when it does not."""
        deadline = time.monotonic() + START_SECONDS
        while not self._address.answers():
            if self._started().poll() is not None:
                raise UserError(f"The emulator did not start: {self._last_log_line()}", 1)
            if time.monotonic() > deadline:
                raise UserError(f"The emulator did not answer in {START_SECONDS:.0f} s.", 1)
            time.sleep(0.02)

    def start(self) -> Self:
        self.launch()
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the emulator and its functions and remove its files; safe to call twice."""
        if self._process:
            # All that it holds is thrown away: neither it nor its functions need to say goodbye.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self._tether:
            self._tether.close()
            self._tether = None
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise RuntimeError("The emulator has not been started.")
        return self._process

    def _environment(self) -> dict[str, str]:
        """All that the emulator sees: what it is configured with, and nothing of ours."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": tether.package_path(),
            "HOME": str(self._temporary),
            "TMPDIR": str(self._temporary),
            "STATE_DIR": f"{self._temporary}/state",
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": self.region,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "AUTH": "true",
            timescale.VARIABLE: str(self.scale.factor),
            "SFN_WAIT_SCALE": str(self.scale.divided(1)),
            "LOG_LEVEL": "WARNING",
            "SLS_PATTERNS_INTERPRETERS": json.dumps(self._interpreters),
            **self._settings,
        }

    def _last_log_line(self) -> str:
        log = Path(self._environment()["TMPDIR"]) / "emulator.log"
        text = log.read_text(errors="replace")
        return (text.strip().splitlines() or ["no output"])[-1]
