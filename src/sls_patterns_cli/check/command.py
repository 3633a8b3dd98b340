"""The command: reads, judges, prints, and says by its exit code what came out."""

from collections.abc import Sequence
from pathlib import Path

from sls_patterns_cli.check.report import Report, reports
from sls_patterns_cli.terminal import output

CLEAN, FINDINGS = 0, 1


def run(paths: Sequence[Path], *, json: bool) -> int:
    found: list[Report] = []
    for path in paths:
        found += reports(path)
    findings = [finding for report in found for finding in report.findings]
    if json:
        output.show_json(
            {
                "edges": [edge for report in found for edge in report.edges()],
                "findings": [finding.as_dict() for finding in findings],
                "unread": [each for report in found for each in report.unread],
            }
        )
    return FINDINGS if any(f.severity == "error" for f in findings) else CLEAN
