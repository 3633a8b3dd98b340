"""A report as people read it: the edges, then what is wrong, then what could not be read."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sls_patterns_cli.check.finding import Finding, Severity
from sls_patterns_cli.check.report import Report
from sls_patterns_cli.terminal import output
from sls_patterns_cli.wiring.alarms import Told
from sls_patterns_cli.wiring.survey import Route
from sls_patterns_cli.wiring.ways_back import way_back

LONGEST_OF_A_TABLE = 60
"""Columns of an edge that leave room for its end; addresses of Terraform are longer."""

TOLD: dict[Told, str] = {True: "alarmed", False: "no alarm", "unknown": "alarm unknown"}

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


def show(reports: Sequence[Report]) -> None:
    for report in reports:
        _show_edges(report)
        for finding in report.findings:
            _show_finding(finding)
    unread = [each for report in reports for each in report.unread]
    if unread:
        output.heading("Not read")
        for each in unread:
            output.paragraph(each)
    output.show(f"\n{_summary(reports)}")


def _show_edges(report: Report) -> None:
    rows = [
        (
            f"{edge['source']} => {edge['target']}",
            str(edge["mechanism"]),
            _ending(edge["end"], edge["alarmed"], report.source.text(_way_back(route))),
        )
        for edge, route in zip(report.edges(), report.routes, strict=True)
    ]
    if rows:
        output.heading(output.shown(report.source.file))
    if max((len(edge) for edge, *_ in rows), default=0) <= LONGEST_OF_A_TABLE:
        output.table(rows)
        return
    for edge, mechanism, ending in rows:
        output.show(f"  {edge}")
        output.paragraph(f"{mechanism}, {ending}", indent="    ")


def _way_back(route: Route) -> str:
    way = way_back(route.form.stack, route.edge)
    return f", back {way}" if way else ""


def _ending(end: str | None, alarmed: Told, back: str) -> str:
    """Say where failures end, whether somebody is told, and the way back."""
    if end is None:
        return "ends nowhere"
    if end in {"outside", "unknown"}:
        return f"ends {end}"
    return f"ends in {end}, {TOLD[alarmed]}{back}"


def _show_finding(finding: Finding) -> None:
    at = f"{output.shown(Path(finding.file))}:{finding.line}"
    output.show(f"\n{at}: {output.bold(finding.severity)} {finding.rule} {finding.resource}")
    output.paragraph(finding.message)
    if finding.suppressed is not None:
        output.paragraph(f"Suppressed: {finding.suppressed}")
        return
    if finding.severity == "note":
        return
    first, *lines = finding.mend.splitlines()
    output.paragraph(first)
    for line in lines:
        output.show(f"    {line}")
    output.show(f"  {finding.url}")


def _summary(reports: Sequence[Report]) -> str:
    edges = sum(len(report.routes) for report in reports)
    endless = sum(route.edge.end.kind == "none" for report in reports for route in report.routes)
    counts = Counter(
        finding.severity
        for report in reports
        for finding in report.findings
        if finding.suppressed is None
    )
    found = ", ".join(_count(counts[severity], severity) for severity in SEVERITIES)
    templates = _count(len(reports), "template")
    return f"{templates}, {_count(edges, 'edge')}, {endless} without an end: {found}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
