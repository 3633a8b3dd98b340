"""The command: prints the OpenAPI document of a project, or writes it to a file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import project as projects
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.openapi.declaration import declaration
from sls_patterns_cli.openapi.document import Service, openapi
from sls_patterns_cli.openapi.models import Models, models
from sls_patterns_cli.openapi.routes import routes
from sls_patterns_cli.terminal import output

TEMPLATES = {"sam": "template.yaml", "cdk": ".cdk"}
"""What a project deploys: its template, or where its `make build` has the stack synthesised."""


def run(
    path: Path,
    template: Path | None,
    file: Path | None,
    server: str,
    parameters: Sequence[str],
) -> None:
    """Print the document of the project in `path`, or write it to `file`.

    `parameters` are `NAME=VALUE` of the stack's; names that no issuer uses have no effect, so that
    those of `make deploy` can be passed.

    Raises:
        UserError: the project, its template, its models or `openapi.yml` cannot be read, or differ.
        OSError: the file cannot be written.
    """
    project = projects.load(path)
    given = dict(_pair(each) for each in parameters)
    made = document(project, template, Service(project.name, project.region, server, given))
    text = f"{json.dumps(made, indent=2, ensure_ascii=False)}\n"
    if file:
        file.write_text(text, encoding="utf-8", newline="\n")
    else:
        output.show(text.rstrip("\n"))


def document(project: Project, template: Path | None, service: Service) -> dict[str, Any]:
    """Return the OpenAPI document of a project; raises UserError as `run` does."""
    declared = declaration(project.root)
    place = template or project.root / TEMPLATES[project.iac]
    found = routes(place)
    if not found:
        raise UserError(f"{place} has no API: there is nothing to describe.")
    named = {each for operation in declared.operations for each in operation.named()}
    by_function = any(route.guard and route.guard.by_function for route in found)
    read = models(project, named) if named or by_function else Models({}, {}, {})
    return openapi(service, found, declared, read)


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise UserError(f"{text} is no parameter; write it as NAME=VALUE")
    return name, value
