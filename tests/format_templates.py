"""Formats what is code but for the names that Jinja fills in, and says which templates are not.

In place of a name stands one of the length that it has in a project of the pattern, so that lines
break where they will. A template with other tags is formatted by hand: tests find what is not as
the formatters lay it out, in the projects that are rendered.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

TEMPLATES = Path(__file__).parents[1] / "templates"
CODE = ("patterns", "shared", "unit_tests", "datastores", "proofs", "project")
NAME = re.compile(r"\{\{ package \}\}")
TAG = re.compile(r"\{[{%#]")
LONGEST_LINE = 100


def stand_in(file: Path) -> str:
    """Return an identifier as long as the package's name in a project of the template's pattern."""
    *_, parent = file.as_posix().partition("/patterns/")
    name = parent.split("/")[0] or "scalable-webhook"
    return f"zq{'x' * (len(name) - 2)}"


def formatted(files: list[Path], suffix: str, command: list[str]) -> dict[Path, str]:
    """Return what a formatter makes of templates that have no tags but the package's name."""
    if not files:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        copies = {file: Path(folder) / f"{number}{suffix}" for number, file in enumerate(files)}
        for file, copy in copies.items():
            copy.write_text(NAME.sub(stand_in(file), file.read_text()))
        (Path(folder) / ".prettierrc").write_text(json.dumps({"printWidth": LONGEST_LINE}))
        done = subprocess.run(
            [*command, *map(str, copies.values())], cwd=folder, capture_output=True, check=False
        )
        # A part of a file, such as a method, is no file of the language.
        refused = done.stderr.decode()
        return {
            file: copy.read_text().replace(stand_in(file), "{{ package }}")
            for file, copy in copies.items()
            if copy.name not in refused
        }


def main(templates: Path = TEMPLATES) -> None:
    packages = yaml.safe_load((TEMPLATES / "runtimes/typescript/packages.yml").read_text())
    version = packages["versions"]["prettier"]
    formatters = {
        ".py": [sys.executable, "-m", "ruff", "format", f"--line-length={LONGEST_LINE}"],
        ".ts": ["npx", "--yes", f"prettier@{version}", "--write", "--log-level=error"],
    }
    by_hand = []
    for suffix, command in formatters.items():
        folders = [templates / name for name in CODE]
        found = [file for each in folders for file in sorted(each.rglob(f"*{suffix}.jinja"))]
        fit = [file for file in found if not TAG.search(NAME.sub("", file.read_text()))]
        texts = formatted(fit, suffix, command)
        by_hand += [file for file in found if file not in texts]
        for file, text in texts.items():
            if text != file.read_text():
                file.write_text(text)
                print(f"formatted {file.relative_to(templates)}")
    print(f"By hand, since they have other tags of Jinja, or are parts of files: {len(by_hand)}")
    for file in by_hand:
        print(f"  {file.relative_to(templates)}")


if __name__ == "__main__":
    main()
