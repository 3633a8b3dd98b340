"""Shows what a change does to generated projects, in comparison with another commit.

That commit's template is rendered with that commit's tool: only of the patterns whose golden files
differ, and once, since the renders are kept under the digest of both. `make golden` ends with it,
and CI prints it for a pull request.
"""

import difflib
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import writing
from changes import merge_base
from golden import CONTENTS, VARIANTS, Projects, golden_files, golden_folder, rendered
from golden_summary import facts, summary
from rendering import ROOT

from sls_patterns_cli import catalog

KEPT = ROOT / "build/golden"
HERE = Path(__file__).parent
DECIDES = (
    "copier.yml",
    "templates",
    "src",
    "tests/golden.py",
    "tests/rendering.py",
    "tests/variants.py",
)
"""What decides how a commit renders its patterns."""


class Commit:
    """What another commit renders; raises ValueError with one line where there is none such."""

    def __init__(self, name: str) -> None:
        self.id = git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()
        if not self.id:
            raise ValueError(f"there is no commit {name!r}")
        ids = git("ls-tree", self.id, *DECIDES)
        self.kept = KEPT / hashlib.sha256(f"{sys.version}\n{ids}".encode()).hexdigest()[:16]

    @property
    def slugs(self) -> list[str]:
        """The patterns that the commit has."""
        listed = git("ls-tree", "-r", "--name-only", self.id, "templates/patterns")
        files = map(Path, listed.splitlines())
        return sorted(file.parent.name for file in files if file.name == "pattern.yml")

    def reviewed(self, pattern: str) -> str:
        """Return what the commit says of a pattern's variants; nothing if it has no such file."""
        path = (golden_folder(pattern) / VARIANTS).relative_to(ROOT).as_posix()
        # Up to 0.8.0.dev0 an archive of all texts.
        archive = f"tests/golden/{pattern}.txt"
        return git("show", f"{self.id}:{path}") or git("show", f"{self.id}:{archive}")

    def projects(self, pattern: str) -> Projects:
        """Return the projects of a pattern's variants, rendered unless they are kept."""
        kept = self.kept / f"{pattern}.json"
        if not kept.exists():
            print(f"rendering {pattern} of {self.id[:12]}", file=sys.stderr)
            writing.write(kept, self._render(pattern))
        found = json.loads(kept.read_text())
        return {
            variant: {path: found["contents"][digest] for path, digest in files.items()}
            for variant, files in found["variants"].items()
        }

    def _render(self, pattern: str) -> str:
        code = self._checked_out()
        path = os.pathsep.join(str(code / folder) for folder in ("src", "tests"))
        # -P: modules are those of the commit, and not the neighbours of the script.
        done = subprocess.run(
            [sys.executable, "-P", str(HERE / "golden_of.py"), pattern],
            cwd=code,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            why = done.stderr.strip().splitlines()[-1:]
            raise ValueError(f"{self.id[:12]} cannot be rendered here: {''.join(why)}")
        return str(done.stdout)

    def _checked_out(self) -> Path:
        """Return a folder with the commit's files, whole or not at all."""
        code = self.kept / "code"
        if not code.exists():
            self.kept.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.kept) as folder:
                archive = Path(folder) / "code.tar"
                git("archive", f"--output={archive}", self.id)
                with tarfile.open(archive) as content:
                    content.extractall(Path(folder) / "code", filter="data")
                (Path(folder) / "code").rename(code)
        return code


class WorkingTree:
    """What is rendered here and now."""

    slugs = sorted(catalog.slugs())

    def reviewed(self, pattern: str) -> str:
        return golden_files(self.projects(pattern))[VARIANTS]

    def projects(self, pattern: str) -> Projects:
        return rendered(catalog.pattern(pattern))


def compared(base: Commit, other: Commit | WorkingTree) -> Iterator[str]:
    """Yield the lines that tell how the projects of two commits differ."""
    projects: dict[Commit | WorkingTree, dict[str, Projects]] = {base: {}, other: {}}
    for pattern in sorted({*base.slugs, *other.slugs}):
        said = base.reviewed(pattern)
        if not said or said != other.reviewed(pattern):
            for each in (base, other):
                if pattern in each.slugs:
                    projects[each][pattern] = each.projects(pattern)
    return summary(facts(projects[base], projects[other]))


def complaints(
    pattern: str, now: Projects, reviewed: Mapping[str, str], base: Projects | None = None
) -> list[str]:
    """Return how a pattern's projects differ from those that were reviewed; [] if they do not.

    A file of which no whole text was reviewed is compared with what `base` renders: if it is not
    given, the commit whose golden files were reviewed, or else the one that this branch left main
    at.
    """
    made = golden_files(now)
    if made == reviewed:
        return []
    if base is None:
        base = _reviewed_projects(pattern, reviewed)
    return [
        "run `make golden` and read the diff, or see it with `make golden-diff`",
        *_of_whole_texts(made, reviewed),
        *_of_variants(now, base, *(_digests(files) for files in (reviewed, made))),
    ]


def _of_whole_texts(made: Mapping[str, str], reviewed: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*made, *reviewed} - {CONTENTS, VARIANTS}):
        yield from _diff(reviewed.get(name, ""), made.get(name, ""), name)


def _digests(files: Mapping[str, str]) -> dict[str, str]:
    """Return the digest of each variant."""
    return dict(line.split() for line in files[VARIANTS].splitlines())


def _of_variants(
    now: Projects, base: Projects, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[str]:
    yield from (f"{variant} is a new variant" for variant in after if variant not in before)
    yield from (f"{variant} is gone" for variant in before if variant not in after)
    changes: dict[tuple[str, str | None, str | None], list[str]] = defaultdict(list)
    for variant in after:
        if before.get(variant, after[variant]) == after[variant]:
            continue
        if variant not in base:
            yield f"{variant} has other files than were reviewed"
            continue
        for path in sorted({*base[variant], *now[variant]}):
            one, other = base[variant].get(path), now[variant].get(path)
            if one != other:
                changes[path, one, other].append(variant)
    for (path, one, other), variants in changes.items():
        yield f"{path} {_change(one, other)} {', '.join(variants)}"
        if one is not None and other is not None:
            yield from _diff(one, other, path)


def _change(one: str | None, other: str | None) -> str:
    if one is None:
        return "is new in"
    return "is gone from" if other is None else "has other contents in"


def _diff(one: str, other: str, name: str) -> Iterator[str]:
    named = f"{name}, reviewed", f"{name}, rendered"
    return difflib.unified_diff(one.splitlines(), other.splitlines(), *named, lineterm="")


def _reviewed_projects(pattern: str, reviewed: Mapping[str, str]) -> Projects:
    """Return what was reviewed, as a commit renders it; nothing where none does."""
    try:
        commits = [Commit(merge_base()), Commit("HEAD")]
        said = (each for each in commits if each.reviewed(pattern) == reviewed.get(VARIANTS))
        return next(said, commits[0]).projects(pattern)
    except ValueError:
        return {}


def git(*arguments: str) -> str:
    """Return what git says; nothing where it fails."""
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else ""


def main(base: str = "", other: str = "") -> None:
    try:
        here = Commit(other) if other else WorkingTree()
        for line in compared(Commit(base or merge_base()), here):
            print(line)
    except ValueError as error:
        sys.exit(f"golden-diff: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
