"""What a CDK app has written is kept, and written again where anything changed that it may read."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from local.support import write
from local.test_local_cdk import (
    ANSWERS,
    ASSETS,
    STACK,
    InstalledPython,
    InstalledTypeScript,
    assemble,
    written,
)

from sls_patterns_cli import catalog
from sls_patterns_cli.errors import UserError

# Writes what `cdk` writes, and notes that it ran where its own project does not change.
APP = """
import json, os, pathlib
from infrastructure import stack
pathlib.Path(".hidden").mkdir(exist_ok=True)
with open(".hidden/runs", "a") as file:
    file.write("run\\n")
output = pathlib.Path(os.environ["CDK_OUTDIR"])
for name, content in json.loads(pathlib.Path("written.json").read_text()).items():
    (output / name).write_text(json.dumps(content))
"""
STACK_CODE = "import os\nSTAGE = os.environ.get('STAGE')\n"
HANDLER = "src/hooks/handlers/receive.py"
FILES = {
    ".copier-answers.yml": ANSWERS,
    "cdk.json": json.dumps({"app": "python3 app.py", "context": {"own": "value"}}),
    "app.py": APP,
    "infrastructure/__init__.py": "",
    "infrastructure/stack.py": STACK_CODE,
    "written.json": written(stack=STACK, assets=ASSETS),
    "src/requirements.txt": "boto3\n",
    "src/hooks/__init__.py": "",
    HANDLER: "def handler(event, context): ...\n",
    "tests/e2e/test_proofs.py": "",
    ".venv/lib/python3.13/site-packages/aws_cdk_lib-2.1.dist-info/METADATA": "",
    "node_modules/.package-lock.json": "{}",
}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    return tmp_path


def runs(app: Path) -> int:
    return len((app / ".hidden/runs").read_text().splitlines())


def rewrite(name: str, text: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    return lambda app, _patch: write(app, {name: text})


def new_version(_app: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(catalog, "version", lambda: "99.0.0")


def new_stage(_app: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("STAGE", "test")


def removed(app: Path, _patch: pytest.MonkeyPatch) -> None:
    (app / "infrastructure/__init__.py").unlink()


def other_packages(app: Path, _patch: pytest.MonkeyPatch) -> None:
    installed = app / ".venv/lib/python3.13/site-packages"
    (installed / "aws_cdk_lib-2.1.dist-info").rename(installed / "aws_cdk_lib-2.2.dist-info")


SETTINGS = {"app": "python3 app.py", "context": {"own": "other"}}
REGION = ANSWERS.replace("eu-west-1", "us-east-1")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(rewrite("infrastructure/stack.py", "\n"), id="infrastructure"),
        pytest.param(rewrite("infrastructure/more.py", ""), id="new-file"),
        pytest.param(removed, id="file-that-is-gone"),
        pytest.param(rewrite("cdk.json", json.dumps(SETTINGS)), id="context"),
        pytest.param(rewrite("cdk.context.json", "{}"), id="looked-up-context"),
        pytest.param(rewrite("src/requirements.txt", "boto3==1\n"), id="requirements"),
        pytest.param(rewrite("src/requirements.lock", "boto3==1\n"), id="lock"),
        pytest.param(rewrite("requirements-dev.txt", "aws-cdk-lib\n"), id="tools"),
        pytest.param(rewrite("node_modules/.package-lock.json", "[]"), id="npm-packages"),
        pytest.param(rewrite(".copier-answers.yml", REGION), id="region"),
        pytest.param(rewrite("statemachines/order.asl.json", "{}"), id="state-machine"),
        pytest.param(other_packages, id="python-packages"),
        pytest.param(new_version, id="version-of-the-tool"),
        pytest.param(new_stage, id="variable-that-the-stack-names"),
    ],
)
@pytest.mark.parametrize("language", [InstalledPython, InstalledTypeScript])
def test_the_app_runs_again_after_a_change_of(
    app: Path, monkeypatch: pytest.MonkeyPatch, change: Any, language: Any
) -> None:
    first = assemble(app, language)
    assert assemble(app, language) == first
    assert runs(app) == 1

    change(app, monkeypatch)

    assemble(app, language)
    assert runs(app) == 2


def test_a_handler_in_python_is_deployed_as_it_is_now_without_a_run(app: Path) -> None:
    first = assemble(app)
    write(app, {HANDLER: "def handler(event, context): return 1\n", "src/hooks/new.py": ""})

    again = assemble(app)

    assert runs(app) == 1
    assert again.template.keys() == first.template.keys()


def test_a_proof_may_change_without_a_run(app: Path) -> None:
    first = assemble(app)
    write(app, {"tests/e2e/test_proofs.py": "# other\n"})
    assert assemble(app) == first
    assert runs(app) == 1


def test_what_cdk_bundles_is_bundled_again_after_a_change_of_its_source(app: Path) -> None:
    assemble(app, InstalledTypeScript)
    write(app, {HANDLER: "def handler(event, context): return 1\n"})
    assemble(app, InstalledTypeScript)
    assert runs(app) == 2


@pytest.mark.parametrize(
    "line", ["from hooks import models", "import hooks.handlers", "import src.hooks as ours"]
)
def test_code_that_the_infrastructure_imports_counts(app: Path, line: str) -> None:
    write(app, {"infrastructure/stack.py": f"try:\n    {line}\nexcept ImportError: ...\n"})
    assemble(app)
    write(app, {HANDLER: "def handler(event, context): return 1\n"})
    assemble(app)
    assert runs(app) == 2


def test_code_after_which_a_version_is_named_counts(app: Path) -> None:
    made = json.loads(FILES["written.json"])
    made["Stack.template.json"]["Resources"]["Version1"] = {"Type": "AWS::Lambda::Version"}
    write(app, {"written.json": json.dumps(made)})
    assemble(app)
    assemble(app)
    assert runs(app) == 1
    write(app, {HANDLER: "def handler(event, context): return 1\n"})
    assemble(app)
    assert runs(app) == 2


def test_another_folder_has_its_own(app: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A copy leads to its own code, be what is kept copied as well."""
    assemble(app)
    copy = tmp_path_factory.mktemp("copy") / "app"
    shutil.copytree(app, copy)

    assemble(copy)

    assert runs(copy) == 2


@pytest.mark.parametrize("text", ["", "[]", "{", '{"free": null, "digest": 1}'])
def test_a_record_that_cannot_be_read_counts_as_none(app: Path, text: str) -> None:
    first = assemble(app)
    (app / ".sls-patterns/synthesised.json").write_text(text)
    assert assemble(app) == first
    assert runs(app) == 2


def test_what_an_app_that_fails_has_written_is_not_kept(app: Path) -> None:
    first = assemble(app)
    write(app, {"app.py": f"{APP}raise SystemExit(1)\n"})
    for _ in range(2):
        with pytest.raises(UserError, match="The CDK app failed"):
            assemble(app)
    write(app, {"app.py": APP})

    assert assemble(app) == first
    assert runs(app) == 4
