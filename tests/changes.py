"""What differs from main: in what is rendered, byte for byte, and in this repository's own files.

What the working tree renders is compared with the digests that the golden files of main hold, so
nothing of main is rendered.
"""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sls_patterns_cli import catalog

ROOT = Path(__file__).parents[1]

Contents = dict[str, dict[str, str]]
"""By variant, as `pattern/options`: the digests of files by their paths."""

PATTERNS = "templates/patterns/"
RENDERS = (
    "templates/",
    "copier.yml",
    "src/sls_patterns_cli/catalog/",
    "src/sls_patterns_cli/rendering/",
)
"""What decides what is rendered."""


@dataclass
class Changes:
    files: list[str] = field(default_factory=list)
    """Files of this repository, from its root."""
    rendered: Contents = field(default_factory=dict)
    """What variants hold that no variant of main has."""

    def of_pattern(self, slug: str) -> Contents:
        return {name: files for name, files in self.rendered.items() if name.startswith(f"{slug}/")}


def changes() -> Changes:
    """Return what this branch and the working tree have otherwise than main has it."""
    base = merge_base()
    files = files_since(base)
    return Changes(files, rendered_since(base, patterns_to_render(files)))


def merge_base() -> str:
    found = _git("merge-base", "HEAD", "main") or _git("merge-base", "HEAD", "origin/main")
    return found[0] if found else "HEAD"


def files_since(base: str) -> list[str]:
    untracked = _git("ls-files", "--others", "--exclude-standard")
    return [*_git("diff", "--name-only", base), *untracked]


def patterns_to_render(files: Iterable[str]) -> set[str]:
    """Return the patterns that render something else, if anything does."""
    found = set[str]()
    for file in files:
        if file.startswith(PATTERNS) and (slug := file.split("/")[2]) in catalog.slugs():
            found.add(slug)
        elif file.startswith(RENDERS):
            return set(catalog.slugs())
    return found


def rendered_since(base: str, slugs: Iterable[str]) -> Contents:
    """Return what the variants of these patterns hold that the golden files of a commit do not."""
    from golden import CONTENTS, DIGITS, digest, golden_folder, rendered

    found: Contents = {}
    for slug in slugs:
        reviewed = (golden_folder(slug) / CONTENTS).relative_to(ROOT).as_posix()
        known = set(_git("show", f"{base}:{reviewed}"))
        for variant, files in rendered(catalog.pattern(slug)).items():
            digests = {path: digest(text)[:DIGITS] for path, text in files.items()}
            new = {path: each for path, each in digests.items() if f"{path} {each}" not in known}
            if new:
                found[f"{slug}/{variant}"] = new
    return found


def _git(*arguments: str) -> list[str]:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()
