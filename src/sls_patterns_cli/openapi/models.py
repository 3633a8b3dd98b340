"""The models of a project as JSON Schema, read by the project's own interpreter and packages."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.languages import interpreters
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.openapi.declaration import FILE, Named

READERS = Path(__file__).parent / "readers"


@dataclass(frozen=True)
class Models:
    """What a project's code says.

    `schemas` has each model that was asked for, `components` what these refer to, and `scopes` what
    its authorizer asks for by route, such as `GET/orders/*`.
    """

    schemas: Mapping[Named, Mapping[str, Any]]
    components: Mapping[str, Any]
    scopes: Mapping[str, str]


def models(project: Project, wanted: Iterable[Named]) -> Models:
    """Read models of a project by their names.

    Raises:
        UserError: the project is not installed, it cannot be imported, or it has no such model.
    """
    named = sorted(set(wanted))
    package = project.name.replace("-", "_")
    python = project.runtime == "python"
    place = f"src/{package}/models.py" if python else "src/models.ts"
    request = json.dumps({"package": package, "models": named})
    command = _python(project.root) if python else _node(project)
    done = subprocess.run(
        [*command, request],
        cwd=project.root,
        input=None if python else (READERS / "zod.mjs").read_text(encoding="utf-8"),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "Error" in line] or ["it says nothing"]
        raise UserError(f"{place} cannot be read: {said[-1].strip()}", 1, log=done.stderr)
    answer = json.loads(done.stdout)
    if missing := answer["missing"]:
        raise UserError(f"{place} has no model {missing[0]}, which {FILE} names.")
    schemas = {(name, use): schema for name, use, schema in answer["schemas"]}
    return Models(schemas, answer["components"], answer["scopes"])


def _python(root: Path) -> list[str]:
    interpreter = root / ".venv/bin/python"
    if not interpreter.is_file():
        raise UserError(f"{root} has no .venv to read its models with: run make install first.")
    return [str(interpreter), "-P", str(READERS / "pydantic_models.py")]


def _node(project: Project) -> list[str]:
    """Return the command that runs a module from standard input, whose imports are the project's.

    Node.js reads TypeScript since 22.18: https://nodejs.org/api/typescript.html#type-stripping
    """
    if not (project.root / "node_modules/zod").is_dir():
        raise UserError(f"{project.root} has no node_modules with zod: run make install first.")
    node, _ = interpreters.find(project.lambda_runtime)
    return [str(node.executable), "--input-type=module", "-"]
