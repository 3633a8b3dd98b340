"""What is generated and reviewed: the golden files, and the index of the patterns.

Golden files hold every byte of every variant, one text archive for each pattern. An archive holds
each distinct content once, under a line that names its path and the variants that have it, so that
its diff reads like the diff of one project. The index is what Copier asks from: it cannot look into
folders. `make golden` writes both.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from rendering import render_project
from variants import Variant, variants_of

from sls_patterns_cli import catalog
from sls_patterns_cli.pattern import Pattern

GOLDEN = Path(__file__).parent / "golden"
INDEX = Path(__file__).parents[1] / "templates/patterns/index.yml"
RULE = "─" * 8


def archive(projects: dict[str, Path]) -> str:
    """Return the archive of rendered projects, keyed by the name of their variant.

    Raises:
        ValueError: a file has no text, does not end its last line, or holds a line like ours.
    """
    contents: dict[tuple[str, str], list[str]] = defaultdict(list)
    for variant, project in sorted(projects.items()):
        for path, content in _files(project):
            contents[path, content].append(variant)
    return "".join(
        f"{RULE} {path} ({', '.join(variants) if len(variants) < len(projects) else 'all'})\n"
        f"{content}"
        for (path, content), variants in sorted(contents.items(), key=_path_and_variants)
    )


def _path_and_variants(item: tuple[tuple[str, str], list[str]]) -> tuple[str, list[str]]:
    """Return an order in which a content that changes stays where it is."""
    (path, _), variants = item
    return path, variants


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


def index() -> str:
    """Return the choices of the question for the pattern: slugs by title."""
    return "".join(f'"{pattern.title}": {pattern.slug}\n' for pattern in catalog.patterns())


def golden_file(pattern: str) -> Path:
    return GOLDEN / f"{pattern}.txt"


def rendered(pattern: Pattern, into: Path) -> str:
    """Return the archive of all variants of the pattern, rendered anew."""
    projects = render_all(variants_of(pattern), into)
    return archive({variant.options: project for variant, project in projects.items()})


def write() -> None:
    """Write index and archives, and remove the archives of patterns that are gone."""
    INDEX.write_text(index(), newline="\n")
    GOLDEN.mkdir(exist_ok=True)
    patterns = {pattern.slug: pattern for pattern in catalog.patterns()}
    with TemporaryDirectory() as folder:
        for slug, pattern in patterns.items():
            golden_file(slug).write_text(rendered(pattern, Path(folder)), newline="\n")
            print(f"{golden_file(slug).name}: {len(list(variants_of(pattern)))} variants")
    for file in GOLDEN.glob("*.txt"):
        if file.stem not in patterns:
            file.unlink()
            print(f"{file.name}: removed")


if __name__ == "__main__":
    write()
