"""Prints models of a Python project as JSON Schema. Run by the project's own interpreter.

Its argument and what it prints are JSON: see `models.py` beside this folder.
"""

import contextlib
import importlib
import json
import sys
from typing import Any

from pydantic import TypeAdapter

MODES = {"parameter": "validation", "input": "validation", "output": "serialization"}


def main(request: dict[str, Any]) -> dict[str, Any]:
    sys.path.insert(0, "src")
    package = request["package"]
    models = importlib.import_module(f"{package}.models") if request["models"] else None
    missing = [name for name, _ in request["models"] if not hasattr(models, name)]
    asked: list[Any] = [
        ((name, use), MODES[use], TypeAdapter(getattr(models, name)))
        for name, use in request["models"]
        if name not in missing
    ]
    found, definitions = TypeAdapter.json_schemas(
        asked, ref_template="#/components/schemas/{model}"
    )
    return {
        "missing": missing,
        "schemas": [[*key, schema] for (key, _), schema in found.items()],
        "components": definitions.get("$defs", {}),
        "scopes": scopes(package),
    }


def scopes(package: str) -> dict[str, str]:
    """Return what the project's authorizer asks for; {} if it has none."""
    for name in ("authorizer.policy", "logic"):
        with contextlib.suppress(ModuleNotFoundError):
            module = importlib.import_module(f"{package}.{name}")
            if hasattr(module, "SCOPE_OF_ROUTE"):
                return dict(module.SCOPE_OF_ROUTE)
    return {}


# What a model prints while it is imported is not the answer.
with contextlib.redirect_stdout(sys.stderr):
    answer = main(json.loads(sys.argv[1]))
print(json.dumps(answer))  # noqa: T201 - it is the answer
