"""The golden files: what every variant renders to, as it was reviewed.

They hold every byte of every variant, one text archive for each pattern. An archive holds
the default variant whole. Of the others it holds what differs, each distinct content once: as a
difference from the most similar content of that path before it, so that a reviewer sees what a
flavour or a datastore changes. A line above each names the path and the variants that have it.

`make golden` writes them.
"""

import difflib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from rendering import render_project
from variants import Variant, further_variants_of, variants_of

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.model import Pattern

GOLDEN = Path(__file__).parent / "golden"
RULE = "─" * 8


def archive(projects: dict[str, Path]) -> str:
    """Return the archive of rendered projects, keyed by the names of their variants.

    The first is whole; the order of the others decides what differs from what.

    Raises:
        ValueError: a file has no text, does not end its last line, or holds a line like ours.
    """
    contents: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for variant, project in projects.items():
        for path, content in _files(project):
            contents[path][content].append(variant)
    return "".join(
        entry for path in sorted(contents) for entry in _entries(path, contents[path], projects)
    )


def _entries(path: str, contents: dict[str, list[str]], projects: Collection[str]) -> Iterator[str]:
    """Return the contents of a path in an order in which one that changes stays where it is."""
    before: list[str] = []
    for content, variants in contents.items():
        names = "all" if len(variants) == len(projects) else ", ".join(variants)
        differences = [(difference(base, content), base) for base in before]
        shortest, base = min(differences, key=lambda each: each[0].count("\n"), default=("", ""))
        if before and shortest.count("\n") < content.count("\n"):
            yield f"{RULE} {path} ({names}) differs from {contents[base][0]}\n{shortest}"
        else:
            yield f"{RULE} {path} ({names})\n{content}"
        before.append(content)


def difference(base: str, content: str) -> str:
    """Return what `patched` makes the content from: a unified diff without line numbers.

    A line that is added to the base would change the numbers of all that follow it. As much of
    what surrounds a change is repeated as it takes to find its place.
    """
    lines = base.splitlines(), content.splitlines()
    for context in range(1, max(map(len, lines)) + 2):
        hunks = list(difflib.unified_diff(*lines, n=context, lineterm=""))[2:]
        told = "".join(f"{'@@' if line.startswith('@@') else line.rstrip()}\n" for line in hunks)
        with suppress(ValueError):
            if patched(base, told) == content:
                return told
    raise AssertionError("a difference that repeats all of its base has one place")


def patched(base: str, difference: str) -> str:
    """Return the base with each hunk of a difference at the first place where it fits."""
    lines, made, done = base.splitlines(), list[str](), 0
    for hunk in f"\n{difference}".split("\n@@\n")[1:]:
        told = [(line[:1], line[1:]) for line in hunk.splitlines()]
        old = [text for sign, text in told if sign != "+"]
        while lines[done : done + len(old)] != old:
            if done >= len(lines):
                raise ValueError(f"there is no place for\n{hunk}")
            made.append(lines[done])
            done += 1
        made += [text for sign, text in told if sign != "-"]
        done += len(old)
    return "".join(f"{line}\n" for line in [*made, *lines[done:]])


def _files(project: Path) -> Iterable[tuple[str, str]]:
    for file in sorted(project.rglob("*")):
        if file.is_dir():
            continue
        path = file.relative_to(project).as_posix()
        if file.is_symlink():
            raise ValueError(f"{path} is a symbolic link")
        content = file.read_bytes().decode()
        if content and not content.endswith("\n"):
            raise ValueError(f"{path} does not end its last line")
        if content.endswith("\n\n") or content.startswith("\n"):
            raise ValueError(f"{path} begins or ends with an empty line")
        if "\r" in content or any(line.startswith(RULE) for line in content.splitlines()):
            raise ValueError(f"{path} holds a carriage return or a line of the archive's own")
        if any(line != line.rstrip() for line in content.splitlines()):
            raise ValueError(f"{path} has spaces at the end of a line")
        if path.endswith(".json") and not _indented(content):
            raise ValueError(f"{path} is not indented by its braces")
        yield path, content


def _indented(json: str) -> bool:
    """Tell whether each line stands two spaces to the right for each brace that is open."""
    depth = 0
    for line in json.splitlines():
        bare = re.sub(r'"(\\.|[^"\\])*"', "", line)
        closed = len(bare.strip()) - len(bare.strip().lstrip("]}"))
        if len(line) - len(line.lstrip()) != 2 * (depth - closed):
            return False
        depth += len(re.findall(r"[\[{]", bare)) - len(re.findall(r"[\]}]", bare))
    return True


def render_all(variants: Iterable[Variant], into: Path, **answers: str) -> dict[Variant, Path]:
    """Render the variants, with more answers; return the folder of each."""
    return {
        variant: render_project(into / str(variant), **variant.answers, **answers)
        for variant in variants
    }


def golden_file(pattern: str) -> Path:
    return GOLDEN / f"{pattern}.txt"


def golden_variants(pattern: Pattern) -> list[Variant]:
    """Return the variants that the archive of the pattern holds."""
    return [*variants_of(pattern), *further_variants_of(pattern)]


def rendered(pattern: Pattern, into: Path) -> str:
    """Return the archive of all variants of the pattern, rendered anew."""
    projects = render_all(golden_variants(pattern), into)
    return archive({variant.options: project for variant, project in projects.items()})


def write() -> None:
    """Write the archives, and remove those of patterns that are gone."""
    GOLDEN.mkdir(exist_ok=True)
    patterns = {pattern.slug: pattern for pattern in catalog.patterns()}
    with TemporaryDirectory() as folder:
        for slug, pattern in patterns.items():
            golden_file(slug).write_text(rendered(pattern, Path(folder)), newline="\n")
            print(f"{golden_file(slug).name}: {len(golden_variants(pattern))} variants")
    for file in GOLDEN.glob("*.txt"):
        if file.stem not in patterns:
            file.unlink()
            print(f"{file.name}: removed")


if __name__ == "__main__":
    write()
