"""Fills `docs/design.md` with the decisions of all releases, by the subjects that it lists."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from sls_patterns_cli.errors import UserError

PAGE = Path(__file__).parents[1] / "docs/design.md"
FOLDER = PAGE.parent / "decisions"

HEADING = re.compile(r"^## (.+)\n", re.MULTILINE)
SUBJECT = re.compile(r"\*([^*]+)\* ·\s")


@dataclass(frozen=True)
class Decision:
    """A record: what was decided, about what, and the text that gives the reason."""

    release: Version
    title: str
    subject: str
    text: str

    def __str__(self) -> str:
        link = f"{FOLDER.name}/{self.release}.md#{anchor(self.title)}"
        return f"- [{self.title}]({link})"


def anchor(heading: str) -> str:
    """Return what GitHub makes of a heading for links to it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def decisions() -> list[Decision]:
    """Return all decisions, newest first."""
    pages = sorted(FOLDER.glob("*.md"), key=lambda page: Version(page.stem), reverse=True)
    return [decision for page in pages for decision in _of(page)]


def _of(page: Path) -> Iterator[Decision]:
    _, *parts = HEADING.split(page.read_text())
    for title, part in zip(parts[::2], parts[1::2], strict=True):
        subject, _, text = part.strip().partition("\n\n")
        found = SUBJECT.match(subject)
        if not found:
            raise UserError(f"{page.name}: {title!r} needs its subject: *Aurora* · [path](path)")
        yield Decision(Version(page.stem), title, found[1], text)


def design_page(page: str, known: Iterable[Decision]) -> str:
    """Return the page with the decisions below their subjects."""
    head, *subjects = HEADING.split(page)
    by_subject: dict[str, list[Decision]] = {name: [] for name in subjects[::2]}
    for decision in known:
        if decision.subject not in by_subject:
            raise UserError(f"docs/design.md has no subject {decision.subject!r}: {decision.title}")
        by_subject[decision.subject].append(decision)
    sections = ("\n".join((f"## {name}\n", *map(str, found))) for name, found in by_subject.items())
    return head + "\n\n".join(sections) + "\n"
