"""Drives hostile requests against the handlers behind each API, and measures the answers.

Which handlers those are, the graphs say: edges from an API to a function. They run as rendered, in
one process for each runtime, against a stand-in for AWS that answers whatever they ask.
"""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments import environment, link_modules, node
from rendering import render_project
from variants import Variant, all_variants, topology_of

from hostile.aws import stand_in
from hostile.events import events
from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.compiler import graph

HERE = Path(__file__).parent
APIS = {"http-api", "rest-api"}
# Personal data in a request, which belongs neither into an answer nor into a log.
PERSONAL = "jane@example.com"

MAX_ANSWER_BYTES = 4_096
# Three times the largest body: it is decoded once at most, and never parsed.
MAX_ALLOCATED_BYTES = 4_000_000


@dataclass(frozen=True)
class Answer:
    """What one hostile request got: bytes of the answer, bytes allocated, milliseconds."""

    request: str
    status: int
    size: int
    allocated: int
    milliseconds: float
    personal: str
    """Where the request's personal data came back, if it did."""

    @property
    def is_harmful(self) -> bool:
        """Whether a caller could do harm: set off an alarm, use up memory, or learn something."""
        return (
            self.status >= 500
            or self.size >= MAX_ANSWER_BYTES
            or self.allocated >= MAX_ALLOCATED_BYTES
            or bool(self.personal)
        )

    def __str__(self) -> str:
        return (
            f"{self.request}: {self.status}, {self.size} bytes, "
            f"{self.allocated // 1024} KiB allocated, {self.milliseconds:.1f} ms{self.personal}"
        )


def api_variants() -> list[Variant]:
    """Return a variant for each topology with functions behind an API, and for each runtime."""
    found: dict[tuple[str, str, str], Variant] = {}
    for variant in all_variants():
        if variant.iac == "sam" and routes(variant):
            found.setdefault((variant.pattern, variant.topology, variant.runtime), variant)
    return [*found.values()]


def routes(variant: Variant) -> list[dict[str, Any]]:
    """Return the edges from an API to a function."""
    facts = _graph(variant)
    return [
        edge
        for edge in facts["edges"]
        if "route" in edge
        and facts["nodes"][edge["from"]]["kind"] in APIS
        and facts["nodes"][edge["to"]]["kind"] == "function"
    ]


def drive(variants: Iterable[Variant], folder: Path) -> Iterator[tuple[Variant, list[Answer]]]:
    """Yield what each variant of one runtime answers; their projects are rendered in the folder."""
    driven = [*variants]
    projects = [_render(variant, folder) for variant in driven]
    with stand_in() as url:
        work = [_work(*each, url) for each in zip(driven, projects, strict=True)]
        (folder / "work.json").write_text(json.dumps(work))
        command = _command(driven[0].runtime, projects)
        ran = subprocess.run(
            [*command, folder / "work.json"], capture_output=True, text=True, check=False
        )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    answers = json.loads((folder / "work.json.answers").read_text())
    for variant, of_variant in zip(driven, answers, strict=True):
        yield variant, [Answer(**each) for each in of_variant]


def _render(variant: Variant, folder: Path) -> Path:
    name = f"{variant.pattern}-{variant.topology}"[:40].strip("-")
    return render_project(folder / name, **variant.answers, project_name=name)


def _command(runtime: str, projects: list[Path]) -> list[str | Path]:
    if runtime == "python":
        (python,) = {environment(project) / "python" for project in projects}
        return [python, "-P", HERE / "drive.py"]
    link_modules(*projects)
    # Nothing is collected while a request is measured: what it allocates is then what it holds.
    return [node().executable, "--expose-gc", "--max-semi-space-size=256", HERE / "drive.mjs"]


def _work(variant: Variant, project: Path, url: str) -> dict[str, Any]:
    facts = _graph(variant)
    # What the unit tests of a project say of the environment of its functions.
    said = next((project / "tests/unit").glob("conftest.py"), None) or (
        project / "tests/unit/surroundings.ts"
    )
    variables = dict(
        re.findall(r'^ *"?([A-Z][A-Z0-9_]+)"?: "(.*)",$', said.read_text(), re.MULTILINE)
    )
    handlers: dict[str, list[Any]] = {}
    for edge in routes(variant):
        api = facts["nodes"][edge["from"]]
        handlers.setdefault(edge["to"], []).extend(events(api, edge, PERSONAL))
    return {
        "project": str(project),
        "personal": PERSONAL,
        "variables": {
            **variables,
            **{name: url for name in variables if name.endswith("_URL") and "QUEUE" not in name},
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_MAX_ATTEMPTS": "1",
            "POWERTOOLS_LOG_LEVEL": "DEBUG",
            "POWERTOOLS_SERVICE_NAME": variant.pattern,
            "POWERTOOLS_METRICS_NAMESPACE": variant.pattern,
        },
        "handlers": handlers,
    }


def _graph(variant: Variant) -> dict[str, Any]:
    pattern, vocabulary = catalog.pattern(variant.pattern), catalog.vocabulary()
    store = vocabulary.datastores[variant.datastore]
    return graph(pattern, topology_of(variant), vocabulary, store).as_dict()
