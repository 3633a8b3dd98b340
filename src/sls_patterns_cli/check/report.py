"""What `check` found at a path: edges, findings, and what could not be read."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_patterns_cli.check.finding import Finding
from sls_patterns_cli.check.judgements import faults
from sls_patterns_cli.check.judgements.fault import Fault
from sls_patterns_cli.check.rules import RULES
from sls_patterns_cli.check.suppression import (
    Place,
    Suppression,
    apply,
    files_above,
    in_file,
    in_metadata,
)
from sls_patterns_cli.cloudformation.source import Source
from sls_patterns_cli.cloudformation.sources import sources
from sls_patterns_cli.wiring.survey import Form, Route, end_text, forms, routes, unseen

OF_CLOUDFORMATION = {"SP501"}
"""Rules about what refuses a deployment by CloudFormation: Terraform calls the services itself."""


@dataclass(frozen=True)
class Report:
    """Of one template."""

    source: Source
    routes: list[Route]
    findings: list[Finding]

    @property
    def unread(self) -> list[str]:
        return [f"{self.source.file}: {each}" for each in dict.fromkeys(self.source.unread)]

    def edges(self) -> Iterator[dict[str, Any]]:
        """Yield the edges as they are printed for programs."""
        name = self.source.name
        for route in self.routes:
            end = end_text(route.edge.end)
            yield {
                "source": name(route.edge.source),
                "target": name(route.edge.target),
                "mechanism": route.edge.mechanism,
                "declared_by": name(route.edge.declared_by),
                "end": name(end) if end else None,
                "alarmed": route.alarmed,
                "back": name(route.back) if route.back else None,
            }


def reports(path: Path) -> Iterator[Report]:
    """Yield a report of each template at a path; raises UserError where none can be read."""
    for source in sources(path):
        found = list(forms(source))
        files = {source.file, *(each.document.file for each in source.positions.values())}
        findings = apply(
            _findings(source, found),
            _suppressions(source, files, path),
            {file.resolve() for file in files},
        )
        source.unread += map(source.text, unseen(found))
        yield Report(source, routes(found), findings)


def _suppressions(source: Source, files: set[Path], path: Path) -> Iterator[Suppression]:
    """Yield the suppressions for the files of a template that is at `path`: in them, beside them,
    and in the folders above, up to the current one or to `path`.
    """
    made_from = defaultdict[Place, list[str]](list)
    for name, position in source.positions.items():
        if source.metadata(name):
            line = position.document.line(*position.path[:2])
            place = Place(str(position.document.file), line, position.path[1])
            made_from[place].append(name)
    for place, names in made_from.items():
        yield from in_metadata(source.metadata(names[0]), place, map(source.name, names))
    here = Path.cwd()
    for file in sorted(files):
        top = here if file.resolve().is_relative_to(here) else path
        for above in files_above(file, top):
            yield from in_file(above)


def _findings(source: Source, found: list[Form]) -> Iterator[Finding]:
    """Yield what is wrong in any form, of each resource as in the first form that shows it."""
    first: dict[tuple[str, str], str] = {}
    for form in found:
        for fault in dict.fromkeys(faults(form.stack)):
            if source.is_plan and fault.rule in OF_CLOUDFORMATION:
                continue
            if first.setdefault((fault.rule, fault.resource), form.when) == form.when:
                yield _finding(source, fault, form.when)


def _finding(source: Source, fault: Fault, when: str) -> Finding:
    rule = RULES[fault.rule]
    file, line = source.line(fault.resource, *fault.path)
    condition = f" This is so if {when}." if when else ""
    return Finding(
        rule.id,
        rule.severity,
        str(file),
        line,
        source.name(fault.resource),
        source.text(fault.message) + condition,
        source.text(_mend(source, fault)),
        fault.url or rule.url,
    )


def _mend(source: Source, fault: Fault) -> str:
    """Return how to mend a fault in the words of what made the resource.

    The lines to add are CloudFormation, which is no help to who writes Terraform.
    """
    if source.is_plan:
        return fault.mend.splitlines()[0].removesuffix(":")
    if "aws:cdk:path" in source.metadata(fault.resource):
        return fault.cdk or fault.mend
    if source.type(fault.resource).startswith("AWS::Serverless::"):
        return fault.sam or fault.mend
    return fault.mend
