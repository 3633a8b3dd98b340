"""Fills the page on a release with the fixes that it has for files of users."""

from collections.abc import Iterator
from pathlib import Path

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.fix_declaration import ReleasedFix

RELEASES = Path(__file__).parents[1] / "docs/releases"
HEADING = "## Fixes in your files\n"


def release_pages() -> Iterator[tuple[Path, str]]:
    """Yield each page with its table as the patterns declare it."""
    for page in RELEASES.glob("*.md"):
        before = page.read_text().partition(HEADING)[0]
        yield page, f"{before}{HEADING}\n{_table(page.stem)}"


def _table(release: str) -> str:
    rows = "".join(
        f"| `{slug}`{_only(fix)} | `{fix.id}` | {fix.reason} | {_shown_by(fix)} |\n"
        for slug in catalog.slugs()
        for fix in catalog.released_fixes(slug)
        if str(fix.release) == release
    )
    return f"| pattern | fix | reason | shown by |\n|---|---|---|---|\n{rows}"


def _only(fix: ReleasedFix) -> str:
    return f" with {', '.join(f'`{each}`' for each in fix.topologies)}" if fix.topologies else ""


def _shown_by(fix: ReleasedFix) -> str:
    proofs = ", ".join(f"`{each}`" for each in fix.proofs)
    return f"proof {proofs}" if proofs else "unit tests"
