"""npm packages are installed when they are not there; bundles are made as SAM makes them."""

import json
from pathlib import Path
from typing import Any

import pytest
from local.support import write

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import project
from sls_patterns_cli.local.languages import modules
from sls_patterns_cli.local.languages.code import Code, Properties
from sls_patterns_cli.local.languages.interpreters import Interpreter
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.terminal.progress import Progress

ANSWERS = """
pattern: scalable-webhook
project_name: hooks
runtime: typescript
runtime_version: nodejs24.x
iac: sam
region: eu-west-1
"""
NODE = Interpreter(Path("/nowhere/bin/node"), (24, 0, 0), "Node.js")


def made(root: Path, **files: dict[str, Any]) -> Project:
    names = {"manifest": "package.json", "lock": "package-lock.json"}
    names["installed"] = "node_modules/.package-lock.json"
    write(root, {names[name]: json.dumps(content) for name, content in files.items()})
    write(root, {".copier-answers.yml": ANSWERS})
    return project.load(root)


def lock(**versions: str) -> dict[str, Any]:
    packages: dict[str, Any] = {f"node_modules/{n}": {"version": v} for n, v in versions.items()}
    return {"packages": {"": {}, **packages}}


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A npm that only notes that it was run."""
    write(tmp_path, {"bin/npm": f"#!/bin/sh\ntouch {tmp_path}/ran\n"})
    (tmp_path / "bin/npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "ran"


@pytest.mark.parametrize(
    "files",
    [
        {"installed": lock(zod="4.0.0")},
        {"installed": lock(zod="4.0.0", a="1.0.0"), "lock": lock(zod="4.0.0", a="1.0.0")},
    ],
)
def test_packages_that_are_there_are_not_installed(
    files: dict[str, Any], tmp_path: Path, npm: Path
) -> None:
    owner = made(tmp_path / "project", manifest={"dependencies": {"zod": "4.0.0"}}, **files)

    modules.install(owner, NODE, Progress())

    assert not npm.exists()


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"installed": lock(zod="4.0.1")},
        {"installed": lock(zod="4.0.0", a="1.0.0"), "lock": lock(zod="4.0.0", a="1.0.1")},
    ],
)
def test_packages_are_installed_where_others_are_there(
    files: dict[str, Any], tmp_path: Path, npm: Path
) -> None:
    owner = made(tmp_path / "project", manifest={"dependencies": {"zod": "4.0.0"}}, **files)

    modules.install(owner, NODE, Progress())

    assert npm.exists()


def test_what_only_some_machines_need_may_be_missing(tmp_path: Path, npm: Path) -> None:
    wanted = lock(zod="4.0.0")
    wanted["packages"]["node_modules/for-windows"] = {"version": "1.0.0", "optional": True}
    owner = made(tmp_path / "project", manifest={}, installed=lock(zod="4.0.0"), lock=wanted)

    modules.install(owner, NODE, Progress())

    assert not npm.exists()


def test_esbuild_is_told_what_sam_tells_it(tmp_path: Path) -> None:
    owner = made(tmp_path, manifest={})
    program = tmp_path / "node_modules/esbuild/bin/esbuild"
    write(tmp_path, {"node_modules/esbuild/bin/esbuild": f'#!\necho "$@" > {tmp_path}/told\n'})
    program.chmod(0o755)
    shell = Interpreter(Path("/bin/sh"), (24, 0, 0), "Node.js")
    (tmp_path / "src").mkdir()
    properties: Properties = {
        "EntryPoints": ["handlers/a.ts"],
        "Target": "node24",
        "MainFields": "module,main",
        "Minify": False,
        "Sourcemap": True,
        "External": ["pg", "x"],
    }

    modules.bundle(
        owner.root / "node_modules", Code(tmp_path / "src", properties), shell, tmp_path / "out"
    )

    assert (tmp_path / "told").read_text().split() == [
        "--bundle",
        "--platform=node",
        "--target=node24",
        "--format=cjs",
        "--main-fields=module,main",
        "--sourcemap",
        "--external:pg",
        "--external:x",
        "handlers/a.ts",
        "--log-level=error",
        f"--outdir={tmp_path / 'out'}",
    ]


def test_a_source_that_does_not_build_is_one_clear_line(tmp_path: Path) -> None:
    owner = made(tmp_path, manifest={})
    script = "#!\necho; echo '✘ [ERROR] Could not resolve \"x\"'; exit 1\n"
    write(tmp_path, {"node_modules/esbuild/bin/esbuild": script})
    shell = Interpreter(Path("/bin/sh"), (24, 0, 0), "Node.js")

    with pytest.raises(UserError, match=r'esbuild failed: .*Could not resolve "x"'):
        modules.bundle(owner.root / "node_modules", Code(tmp_path, {}), shell, tmp_path / "out")
