"""The command: reads, judges, prints, and says by its exit code what came out."""

from collections.abc import Sequence
from pathlib import Path

from sls_patterns_cli import catalog
from sls_patterns_cli.check.report import Report, reports
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.terminal import output

CLEAN, FINDINGS, UNUSABLE = 0, 1, 2


def run(paths: Sequence[Path], *, json: bool, sarif: bool, strict: bool) -> int:
    """Check what is at the paths, print the result, and return the exit code.

    Errors make it FINDINGS, with `strict` warnings as well; what is suppressed does not. A path
    that cannot be read makes it UNUSABLE, and the others are printed all the same. Raises UserError
    if none can be read.
    """
    found, problems = _read(paths)
    if json:
        _show_json(found)
    elif sarif:
        from sls_patterns_cli.check import sarif as form

        findings = [finding for report in found for finding in report.findings]
        output.show_json(form.sarif(findings, catalog.version()))
    else:
        from sls_patterns_cli.check import text

        text.show(found)
    failing = {"error", "warning"} if strict else {"error"}
    fails = any(
        finding.severity in failing and finding.suppressed is None
        for report in found
        for finding in report.findings
    )
    for problem in problems:
        output.show_error(problem.message)
    if problems:
        return UNUSABLE
    return FINDINGS if fails else CLEAN


def require(version: str) -> None:
    """Raise UserError unless this command is of a version or newer, and reads SAM.

    The version may be a tag, such as v1.2.3; the Makefile of projects names the one that they
    record.
    """
    from importlib.util import find_spec

    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(version)
    except InvalidVersion as error:
        raise UserError(f"--at-least {version!r} is not a version") from error
    if Version(catalog.version()) < wanted:
        raise UserError(f"This is {catalog.version()}, older than {version}.")
    if find_spec("samtranslator") is None:
        raise UserError(f"Templates of SAM need {catalog.DISTRIBUTION} with its extra [check].")


def _read(paths: Sequence[Path]) -> tuple[list[Report], list[UserError]]:
    found: list[Report] = []
    problems = []
    for path in paths:
        try:
            found += reports(path)
        except UserError as error:
            problems.append(error)
    if len(problems) == len(paths):
        *others, last = problems
        for problem in others:
            output.show_error(problem.message)
        raise last
    return found, problems


def explain(rule: str) -> None:
    """Print the page of a rule; raises UserError for one that does not exist."""
    from sls_patterns_cli.check import pages

    output.show(pages.page(rule).rstrip())


def _show_json(found: Sequence[Report]) -> None:
    output.show_json(
        {
            "edges": [edge for report in found for edge in report.edges()],
            "findings": [finding.as_dict() for report in found for finding in report.findings],
            "unread": [each for report in found for each in report.unread],
        }
    )
