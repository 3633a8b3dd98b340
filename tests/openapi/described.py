"""Projects with an API, and the documents that `sls-patterns openapi` makes of them."""

from pathlib import Path
from typing import Any

from environments import link_environment, link_modules
from rendering import render_project
from synthesis import template_file
from variants import Variant, all_variants, topology_of

from sls_patterns_cli.local import project as projects
from sls_patterns_cli.openapi.command import document
from sls_patterns_cli.openapi.document import Service

APIS = {"http-api", "rest-api"}


def api_variants() -> list[Variant]:
    """Return the variants with an API: each topology in each runtime and flavour, once."""
    found: dict[tuple[str, ...], Variant] = {}
    for variant in all_variants():
        if APIS & {node.kind for node in topology_of(variant).nodes}:
            of = (variant.pattern, variant.topology, variant.runtime, variant.iac)
            found.setdefault(of, variant)
    return [*found.values()]


def described(project: Path) -> dict[str, Any]:
    """Return the document of a project."""
    made = projects.load(installed(project))
    template = template_file(project) if made.iac == "cdk" else None
    return document(made, template, Service(made.name, made.region))


def rendered(variant: Variant, folder: Path) -> Path:
    """Render a project into a folder; return that."""
    return render_project(folder, **variant.answers)


def installed(project: Path) -> Path:
    """Give a project the packages that `make install` would install; return it."""
    if projects.load(project).runtime == "typescript":
        link_modules(project)
    elif not (project / ".venv").exists():
        link_environment(project)
    return project
