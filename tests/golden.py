"""The golden files: what every variant renders to, as it was reviewed.

They stand for every byte of every variant. Each pattern has a folder with a line for each variant,
with the digest of all that it holds, a line for each distinct content of a path, and the whole
text of one file of each kind that has logic to read. How the others change, `make golden-diff`
shows.

`make golden` writes them.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import writing
from rendering import kept_from, render_project, template
from variants import Variant, further_variants_of, variants_of

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.model import Pattern

GOLDEN = Path(__file__).parent / "golden"
CONTENTS, VARIANTS, LOGICAL_IDS = "contents.txt", "variants.txt", "logical-ids.txt"
WHOLE = (
    "template.yaml",
    "README.md",
    "Makefile",
    "infrastructure/stack.py",
    "infrastructure/stack.ts",
)
"""The paths whose text in the first variant that has them is kept whole."""
REWORDED = GOLDEN / "reworded.yml"
DIGITS = 16
"""Of a digest of SHA-256: 64 bits."""
LONGEST = 160
"""Characters of a line; READMEs have whole paragraphs in a line."""
FOLD = "\N{DOWNWARDS ARROW WITH TIP RIGHTWARDS}"

Project = Mapping[str, str]
"""The texts of a project by its paths."""
Projects = Mapping[str, Project]
"""The projects of a pattern by what its variants are called."""


def golden_files(projects: Projects) -> dict[str, str]:
    """Return the golden files of a pattern; the order of its variants decides what is whole."""
    digests = {
        variant: {path: digest(text) for path, text in sorted(project.items())}
        for variant, project in projects.items()
    }
    contents = dict.fromkeys(
        sorted(
            ((path, each) for of in digests.values() for path, each in of.items()),
            key=lambda content: content[0],
        )
    )
    return {
        CONTENTS: "".join(f"{path} {each[:DIGITS]}\n" for path, each in contents),
        VARIANTS: "".join(
            f"{variant} {digest(json.dumps(of))[:DIGITS]}\n" for variant, of in digests.items()
        ),
        **{
            Path(path).name: text if path.endswith(".md") else folded(text)
            for path in WHOLE
            if (text := next((each[path] for each in projects.values() if path in each), None))
        },
    }


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def folded(text: str) -> str:
    """Return a text whose longest lines go on below, where a review can show them."""
    room = LONGEST - len(FOLD)
    return "".join(
        f"{line[:LONGEST]}\n"
        + "".join(f"{FOLD}{line[at : at + room]}\n" for at in range(LONGEST, len(line), room))
        for line in text.splitlines()
    )


def read(project: Path) -> dict[str, str]:
    """Return the files of a rendered project.

    Raises:
        ValueError: a file has no text, or is not as careful people write it.
    """
    return dict(_files(project))


def _files(project: Path) -> Iterator[tuple[str, str]]:
    for path, file in sorted(_entries(project)):
        if file.is_symlink():
            raise ValueError(f"{path} is a symbolic link")
        with open(file.path, newline="", encoding="utf-8") as opened:  # noqa: PTH123
            content = opened.read()
        if wrong := _carelessness(content, is_json=path.endswith(".json")):
            raise ValueError(f"{path} {wrong}")
        yield path, content


def _entries(folder: Path | str, before: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield what is below a folder, with its path: of 100,000 files pathlib takes twice as long."""
    with os.scandir(folder) as entries:
        for each in entries:
            if each.is_dir(follow_symlinks=False):
                yield from _entries(each.path, f"{before}{each.name}/")
            else:
                yield f"{before}{each.name}", each


@cache
def _carelessness(content: str, *, is_json: bool) -> str | None:
    """Return what is wrong with a file; variants share most of theirs."""
    lines = content.splitlines()
    if content and not content.endswith("\n"):
        return "does not end its last line"
    if content.endswith("\n\n") or content.startswith("\n"):
        return "begins or ends with an empty line"
    if "\r" in content or any(line.startswith(FOLD) for line in lines):
        return "holds a carriage return or a line like those that go on below"
    if any(line != line.rstrip() for line in lines):
        return "has spaces at the end of a line"
    if is_json and not _indented(content):
        return "is not indented by its braces"
    return None


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


def golden_variants(pattern: Pattern) -> list[Variant]:
    """Return the variants that the golden files of the pattern stand for."""
    return [*variants_of(pattern), *further_variants_of(pattern)]


def rendered(pattern: Pattern) -> dict[str, dict[str, str]]:
    """Return the projects of all variants of the pattern."""
    return {
        variant.options: read(kept_from(template(), **variant.answers))
        for variant in golden_variants(pattern)
    }


def golden_folder(pattern: str) -> Path:
    return GOLDEN / pattern


def reviewed(pattern: str) -> dict[str, str]:
    """Return the golden files of a pattern as they were reviewed, but for its logical ids."""
    return {
        file.name: file.read_bytes().decode()
        for file in golden_folder(pattern).iterdir()
        if file.name != LOGICAL_IDS
    }


def write() -> None:
    """Write the golden files that differ, and remove those of patterns that are gone."""
    patterns = {pattern.slug: pattern for pattern in catalog.patterns()}
    for slug, pattern in patterns.items():
        projects = rendered(pattern)
        made = golden_files(projects)
        changed = [writing.write(golden_folder(slug) / name, text) for name, text in made.items()]
        gone = reviewed(slug).keys() - made
        for name in gone:
            (golden_folder(slug) / name).unlink()
        if any(changed) or gone:
            print(f"{slug}: {len(projects)} variants")
    for folder in set(GOLDEN.iterdir()) - {*map(golden_folder, patterns), REWORDED}:
        if folder.is_dir():
            shutil.rmtree(folder)
        else:
            folder.unlink()
        print(f"{folder.name}: removed")


if __name__ == "__main__":
    write()
