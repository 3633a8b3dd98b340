"""The command `check` as tests run it, and the examples in the pages of its rules."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command import Cli
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


def findings(cli: Cli, *paths: str | Path) -> list[dict[str, Any]]:
    done = cli("check", "--json", *paths)
    assert done.returncode in {0, 1}, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return found
