"""The emulator's process: version, isolation, and that it is gone when we are."""

import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from local.processes import alive, descendants, listening_addresses
from local.support import REGION, wait_until

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator import tether
from sls_patterns_cli.local.emulator.server import VERSION, Emulator, require

OWNER = f"""
import time
from sls_patterns_cli.local.emulator.server import Emulator
emulator = Emulator("{REGION}", {{}}).start()
print(emulator.pid, emulator._temporary, flush=True)
time.sleep(600)
"""


def test_another_version_of_the_emulator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "1.5.34")
    with pytest.raises(UserError) as refused:
        Emulator(REGION, {}).start()
    assert f"needs ministack {VERSION}" in refused.value.message
    assert "1.5.34" in refused.value.message
    assert "\n" not in refused.value.message


def test_without_the_extra_one_line_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(_name: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(UserError, match=r"extra \[local\]"):
        require()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's /proc")
def test_nothing_listens_anywhere_but_on_127_0_0_1(emulator: Emulator) -> None:
    addresses = listening_addresses(emulator.pid)
    assert addresses == {("127.0.0.1", emulator.port)}


def test_emulators_can_run_side_by_side(emulator: Emulator) -> None:
    with Emulator(REGION, {}) as other:
        assert other.port != emulator.port
        other.client("sqs").create_queue(QueueName="only-here")
        listed = emulator.client("sqs").list_queues(QueueNamePrefix="only-here")
        assert not listed.get("QueueUrls")


def test_its_environment_holds_nothing_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOMEBODYS_TOKEN", "secret")
    with Emulator(REGION, {}) as other:
        assert "SOMEBODYS_TOKEN" not in other._environment()
        assert other._environment()["BIND_HOST"] == "127.0.0.1"


def test_stop_leaves_neither_process_nor_file() -> None:
    emulator = Emulator(REGION, {}).start()
    pid, folder = emulator.pid, emulator._temporary
    assert folder
    assert folder.exists()
    emulator.stop()
    emulator.stop()
    assert not alive(pid)
    assert not folder.exists()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads Linux's /proc")
def test_it_keeps_nothing_outside_of_its_own_folder(emulator: Emulator) -> None:
    variables = Path(f"/proc/{emulator.pid}/environ").read_text().split("\0")
    environment = dict(each.split("=", 1) for each in variables if each)
    state = Path(environment["STATE_DIR"])

    assert state.is_relative_to(environment["TMPDIR"])
    assert not state.exists()  # a key of Cognito's, which takes long to make


def test_it_ends_and_cleans_up_when_its_owner_is_killed() -> None:
    environment = {**os.environ, "PYTHONPATH": tether.package_path()}
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert owner.stdout
    pid, folder = owner.stdout.readline().split()
    assert alive(int(pid))

    owner.send_signal(signal.SIGKILL)
    owner.wait()

    wait_until(lambda: not alive(int(pid)))
    wait_until(lambda: not Path(folder).exists())


def test_a_command_ends_with_its_owner(tmp_path: Path) -> None:
    script = (
        "import os, pathlib; from sls_patterns_cli.local.emulator import tether;"
        f"tether.run(['sleep', '300'], cwd=pathlib.Path({str(tmp_path)!r}), env=os.environ)"
    )
    environment = {**os.environ, "PYTHONPATH": tether.package_path()}
    owner = subprocess.Popen([sys.executable, "-c", script], env=environment)
    children = wait_until(lambda: len(found := descendants(owner.pid)) == 2 and found)

    owner.send_signal(signal.SIGKILL)
    owner.wait()

    wait_until(lambda: not any(alive(child) for child in children))


def test_a_command_gives_its_exit_code_and_output(tmp_path: Path) -> None:
    done = tether.run(
        [shutil.which("sh") or "sh", "-c", "echo out; echo err >&2; exit 7"],
        cwd=tmp_path,
        env=os.environ,
        capture=True,
    )
    assert (done.returncode, done.stdout) == (7, "out\nerr\n")


def test_it_starts_soon() -> None:
    start = time.monotonic()
    with Emulator(REGION, {}):
        took = time.monotonic() - start
    assert took < 3  # 0.3 s on an idle machine
