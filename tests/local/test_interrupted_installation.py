"""After an installation that was interrupted at any step, the next one is whole."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from local.support import write

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import languages, project
from sls_patterns_cli.local.emulator import tether
from sls_patterns_cli.local.languages import interpreters, modules
from sls_patterns_cli.local.languages.code import Code
from sls_patterns_cli.local.languages.interpreters import Interpreter
from sls_patterns_cli.terminal.progress import Progress

ANSWERS = """
pattern: scalable-webhook
project_name: hooks
runtime: {}
runtime_version: {}
iac: sam
region: eu-west-1
"""
HERE = Interpreter(Path(sys.executable), (3, 13, 0))
VERSIONS = {"python": "python3.13", "typescript": "nodejs24.x"}


class Installers:
    """Stand in for uv and npm, which put one package in place after the other, and end early."""

    def __init__(self) -> None:
        self.steps_left = 0
        self.killed_by: BaseException | None = None

    def break_after(self, steps: int, killed_by: BaseException | None) -> None:
        self.steps_left, self.killed_by = steps, killed_by

    def run(self, command: Sequence[str], *, cwd: Path, **_: Any) -> CompletedProcess[str]:
        program = self._npm(cwd) if "npm" in command[0] else self._uv([*command], cwd)
        for _step in program:
            if self.steps_left == 0:
                if self.killed_by:
                    raise self.killed_by
                return CompletedProcess(command, 1, "error: killed")
            self.steps_left -= 1
        return CompletedProcess(command, 0, "")

    def _uv(self, command: list[str], cwd: Path) -> Iterator[None]:
        def option(name: str) -> Path:
            return cwd / command[command.index(name) + 1]

        if "venv" in command:
            environment = cwd / command[-1]
            yield
            shutil.rmtree(environment, ignore_errors=True)
            for file in ("bin/python", "pyvenv.cfg"):
                yield
                write(environment, {file: ""})
        else:
            target = "--target" in command
            folder = option("--target") if target else option("--python").parents[1] / "lib"
            assert target or folder.with_name("pyvenv.cfg").exists(), "not a virtual environment"
            pins = option("-r").read_text().split()
            yield from _put(folder, dict.fromkeys(pins, ""), again="--reinstall" in command)
        yield

    def _npm(self, cwd: Path) -> Iterator[None]:
        wanted = json.loads((cwd / "package.json").read_text())["dependencies"]
        yield from _put(cwd / "node_modules", wanted, again=False)
        lock = {f"node_modules/{name}": {"version": at} for name, at in wanted.items()}
        write(cwd, {"node_modules/.package-lock.json": json.dumps({"packages": lock})})
        yield


def _put(folder: Path, wanted: dict[str, str], *, again: bool) -> Iterator[None]:
    """Put packages into a folder; one that seems to be there is left as it is."""
    for pin in (f"{name}@{version}" for name, version in wanted.items()):
        if again or not (folder / pin).exists():
            yield
            for other in folder.glob(f"{pin.partition('==')[0].partition('@')[0]}[=@]*"):
                shutil.rmtree(other)
            yield
            write(folder, {f"{pin}/metadata": ""})
            yield
            write(folder, {f"{pin}/code": ""})


@dataclass(frozen=True)
class Installed:
    """What is installed, in which folder, and what does it."""

    runtime: str
    folder: str
    install: Callable[[languages.Language, Path], object]


INSTALLED = {
    "functions": Installed(
        "python", ".sls-patterns/build/src-3.13.0", lambda it, source: it.package(Code(source))
    ),
    "virtual environment": Installed("python", ".venv/lib", lambda it, _: it.test_command([])),
    "node_modules": Installed("typescript", "node_modules", lambda it, _: it.test_command([])),
}


@pytest.fixture
def installers(monkeypatch: pytest.MonkeyPatch) -> Installers:
    stand_ins = Installers()
    monkeypatch.setattr(tether, "run", stand_ins.run)
    monkeypatch.setattr(interpreters, "required", lambda *_: HERE)
    monkeypatch.setattr(modules, "npm", lambda _: ["npm"])
    return stand_ins


def require(root: Path, versions: dict[str, str]) -> None:
    pins = "".join(f"{name}=={version}\n" for name, version in versions.items())
    for name in ("requirements-dev.txt", "src/requirements.txt"):
        write(root, {name: pins})
    write(root, {"package.json": json.dumps({"dependencies": versions})})


def whole(folder: Path) -> set[str]:
    return {file.parent.name.rstrip("@").replace("==", "@") for file in folder.glob("*/code")}


@pytest.mark.parametrize("killed_by", [None, KeyboardInterrupt()], ids=["fails", "is stopped"])
@pytest.mark.parametrize("what", INSTALLED.values(), ids=INSTALLED)
def test_the_installation_after_an_interrupted_one_is_whole(
    what: Installed,
    killed_by: BaseException | None,
    tmp_path: Path,
    installers: Installers,
) -> None:
    """The change is undone after it: what was installed before it is what is wanted again."""

    def installed(root: Path, versions: dict[str, str], steps: int) -> bool:
        require(root, versions)
        installers.break_after(steps, killed_by)
        with suppress(UserError, KeyboardInterrupt):
            what.install(languages.of(project.load(root), Progress()), root / "src")
            return True
        return False

    interrupted = 0
    for first in (True, False):
        for steps in range(20):
            root = tmp_path / f"{first}-{steps}"
            answers = ANSWERS.format(what.runtime, VERSIONS[what.runtime])
            write(root, {".copier-answers.yml": answers})
            if not first:
                assert installed(root, {"a": "1", "b": "1"}, steps=99)
            done = installed(root, {"a": "2", "b": "2", "c": "1"}, steps)

            assert installed(root, {"a": "1", "b": "1"}, steps=99)
            assert {"a@1", "b@1"} <= whole(root / what.folder), f"stopped after {steps} steps"
            if done:
                break
            interrupted += 1
    assert interrupted > 12


def test_a_folder_that_is_deleted_only_in_part_is_made_again(
    tmp_path: Path, installers: Installers, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {".copier-answers.yml": ANSWERS.format("python", "python3.13")})
    language = languages.of(project.load(tmp_path), Progress())
    folder = tmp_path / ".sls-patterns/build/src-3.13.0"

    def install(versions: dict[str, str]) -> None:
        require(tmp_path, versions)
        installers.break_after(99, None)
        language.package(Code(tmp_path / "src"))

    def interrupted(*_: Any, **__: Any) -> None:
        (folder / "a==1@/code").unlink()
        raise KeyboardInterrupt

    install({"a": "1"})
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            install({"a": "2"})
    install({"a": "1"})

    assert whole(folder) == {"a@1"}
