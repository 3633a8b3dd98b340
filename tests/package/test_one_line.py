"""One line runs the tool on a machine that has only uv or pipx, with nothing in any cache."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rendering import ROOT

pytestmark = [pytest.mark.exhaustive, pytest.mark.xdist_group("empty machine")]

UV = str(Path(sys.executable).with_name("uv"))
NEW = ("new", "scalable-webhook", "hooks", "--defaults")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index") / "simple/sls-patterns-cli"
    build = ("build", "--quiet", "--wheel", "--no-build-isolation", ROOT, "--out-dir", folder)
    subprocess.run([UV, *build], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def index(wheel: Path) -> Iterator[str]:
    """The address of an index that has this tool alone; its dependencies come from the usual one.

    https://packaging.python.org/en/latest/specifications/simple-repository-api/
    """
    served = partial(_Quiet, directory=str(wheel.parents[2]))
    server = ThreadingHTTPServer(("127.0.0.1", 0), served)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simple/"
    server.shutdown()
    server.server_close()


@dataclass(frozen=True)
class Machine:
    """A home where nothing was ever installed."""

    home: Path

    def run(self, *command: str | Path) -> str:
        places = {"HOME": self.home, "PIPX_HOME": self.home / "pipx"}
        for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "UV_CACHE_DIR", "UV_TOOL_DIR"):
            places[name] = self.home / name.lower()
        kept = {name: os.environ[name] for name in os.environ if name != "VIRTUAL_ENV"}
        done = subprocess.run(
            list(command),
            cwd=self.home,
            env=kept | {name: str(place) for name, place in places.items()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def uvx(self, *arguments: str | Path) -> str:
        return self.run(UV, "tool", "run", "--python", sys.executable, *arguments)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_wheel(machine: Machine, wheel: Path) -> None:
    machine.uvx("--from", wheel, "sls-patterns", *NEW)

    assert (machine.home / "hooks/template.yaml").is_file()


def test_a_git_address(machine: Machine, tmp_path: Path) -> None:
    subprocess.run(
        ["git", "clone", "--quiet", "--bare", f"file://{ROOT}", tmp_path / "origin.git"], check=True
    )
    address = f"git+file://{tmp_path / 'origin.git'}"
    machine.uvx("--from", address, "sls-patterns", *NEW)

    machine.uvx("--from", address, "sls-patterns", "status", "hooks")


def test_an_index_by_uvx(machine: Machine, index: str) -> None:
    machine.uvx("--index", index, "sls-patterns-cli", *NEW)

    assert (machine.home / "hooks/template.yaml").is_file()


def test_an_index_by_pipx(machine: Machine, index: str) -> None:
    arguments = ("--pip-args", f"--extra-index-url {index}", "sls-patterns-cli")
    machine.uvx("pipx", "run", *arguments, *NEW)

    assert (machine.home / "hooks/template.yaml").is_file()


def test_the_proofs_of_a_new_project_by_the_extra(machine: Machine, index: str) -> None:
    extra = ("--index", index, "--from", "sls-patterns-cli[local]", "sls-patterns")
    machine.uvx(*extra, *NEW)

    assert " passed" in machine.uvx(*extra, "local", "test", "hooks")
