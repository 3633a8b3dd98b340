"""The examples in the pages of the rules."""

import re
from dataclasses import dataclass

from rendering import ROOT

PAGES = ROOT / "docs/rules"

FORM = re.compile(
    r"# (?P<rule>SP\d{3}): (?P<title>[^\n]+)\n"
    r"\n(?P<description>[^\n]+)\n"
    r"\n## Broken\n\n```yaml\n(?P<broken>.*?)```\n"
    r"\n## Mended\n\n```yaml\n(?P<mended>.*?)```\n"
    r"\n## Source\n\n(?P<sources>(?:- [^\n]+\n)+)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Page:
    """The page of a rule; `line` is that of the broken template at which it has a finding."""

    rule: str
    title: str
    description: str
    broken: str
    mended: str
    sources: str

    @property
    def line(self) -> int:
        lines = self.broken.splitlines()
        (marked,) = (n for n, line in enumerate(lines, 1) if line.endswith(f" # {self.rule}"))
        return marked


def page(rule: str) -> Page:
    text = (PAGES / f"{rule}.md").read_text("utf-8")
    form = FORM.fullmatch(text)
    assert form, f"{rule}.md has another form than the other pages"
    return Page(**form.groupdict())
