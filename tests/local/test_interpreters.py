"""Which Python or Node.js a runtime gets."""

import sys
from pathlib import Path

import pytest

from sls_patterns_cli import catalog
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.languages import interpreters

FAKE = """#!/bin/sh
echo {path}
echo {version} | tr . '\\n'
"""


def fake(path: Path, version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FAKE.format(path=path, version=version))
    path.chmod(0o755)


def fake_node(path: Path, version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {path} {version}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Python 3.11 for this tool alone, but for what of the system the fakes use."""
    monkeypatch.setattr(sys, "version_info", (3, 11, 4))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/nowhere")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tr").symlink_to("/usr/bin/tr")
    return tmp_path


def test_what_runs_this_needs_no_look(machine: Path) -> None:
    fake(machine / "bin/python3.11", "3.11.7")
    found, notice = interpreters.find("python3.11")
    assert (found.executable, notice) == (Path(sys.executable).resolve(), None)
    assert found.version_text == "3.11.4"


def test_the_runtimes_own_version_on_the_path_comes_first(machine: Path) -> None:
    fake(machine / "bin/python3.13", "3.13.2")
    fake(machine / "pyenv/versions/3.13.9/bin/python3", "3.13.9")
    found, notice = interpreters.find("python3.13")
    assert (found.version_text, notice) == ("3.13.2", None)


@pytest.mark.parametrize("place", ["pyenv/versions/3.13.0", "uv/cpython-3.13.0-linux-gnu"])
def test_pyenv_and_uv_are_looked_into(machine: Path, place: str) -> None:
    fake(machine / place / "bin/python3", "3.13.0")
    found, notice = interpreters.find("python3.13")
    assert found.executable == machine / place / "bin/python3"
    assert notice is None


def test_a_shim_that_leads_nowhere_is_passed_over(machine: Path) -> None:
    shim = machine / "bin/python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    fake(machine / "pyenv/versions/3.13.1/bin/python3", "3.13.1")
    assert interpreters.find("python3.13")[0].version_text == "3.13.1"


def test_the_nearest_version_is_taken_with_a_notice(machine: Path) -> None:
    fake(machine / "bin/python3.11", "3.11.7")
    fake(machine / "bin/python3.14", "3.14.0")
    fake(machine / "pyenv/versions/3.12.1/bin/python3", "3.12.1")
    found, notice = interpreters.find("python3.13")
    assert found.version_text == "3.14.0"
    assert notice
    assert "Python 3.13 is not installed" in notice
    assert "3.14.0" in notice


@pytest.mark.usefixtures("machine")
def test_a_machine_without_python_is_told_so() -> None:
    with pytest.raises(UserError, match=r"No Python 3\.13 on this machine"):
        interpreters.find("python3.13")


def test_the_runtimes_own_node_on_the_path_comes_first(machine: Path) -> None:
    fake_node(machine / "bin/node", "24.1.0")
    found, notice = interpreters.find("nodejs24.x")
    assert (str(found), notice) == ("Node.js 24.1.0", None)


def test_nvm_is_looked_into(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVM_DIR", str(machine / "nvm"))
    fake_node(machine / "bin/node", "20.1.0")
    fake_node(machine / "nvm/versions/node/v22.3.0/bin/node", "22.3.0")
    found, notice = interpreters.find("nodejs22.x")
    assert (found.executable, notice) == (machine / "nvm/versions/node/v22.3.0/bin/node", None)


def test_a_machine_with_another_node_gets_the_runtimes_own_from_a_package() -> None:
    found, _ = interpreters.find("nodejs24.x")
    assert found.version[0] == 24


def test_where_uv_has_the_package_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "kept_folder", lambda: tmp_path / "kept")
    found, _ = interpreters.find("nodejs24.x")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("UV_OFFLINE", "1")

    assert interpreters.find("nodejs24.x") == (found, None)


def test_where_no_package_can_be_had_another_node_is_taken_with_a_notice(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreters, "NODE_PACKAGE_VERSIONS", {24: "0.0.0"})
    monkeypatch.setenv("UV_OFFLINE", "1")
    fake_node(machine / "bin/node", "20.1.0")
    found, notice = interpreters.find("nodejs24.x")
    assert found.version_text == "20.1.0"
    assert notice == "Node.js 24 is not installed: the functions run on 20.1.0 here."


def test_a_runtime_that_is_not_served_is_named() -> None:
    with pytest.raises(UserError, match=r"java21"):
        interpreters.find("java21")
