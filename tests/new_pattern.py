"""Begins a pattern as a copy of another: a folder that renders, lints and has proofs at once.

Arguments: the name of the new pattern and that of the one to begin from. What was released of the
other one, the fixes in files of its users, is left out. `docs/adding-a-pattern.md` has what comes
then.
"""

import re
import shutil
import sys
from pathlib import Path

PATTERNS = Path(__file__).parents[1] / "templates/patterns"

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LEFT_OUT = ("graphs", "mends.yml")

NEXT = """\
{folder} is a copy of {origin}. Next:
  edit pattern.yml         docs/adding-a-pattern.md says what it may hold
  make golden              compiles the graphs and renders every variant
  sls-patterns show {name}
  sls-patterns new {name} /tmp/{name} --defaults && make -C /tmp/{name} lint test
  sls-patterns local test /tmp/{name}
"""


def begin(name: str, origin: str, patterns: Path = PATTERNS) -> Path:
    """Copy a pattern's folder under another name; return it. Raises ValueError with one line."""
    known = sorted(file.parent.name for file in patterns.glob("*/pattern.yml"))
    if not NAME.fullmatch(name):
        raise ValueError(f"NAME is {name!r}; it must be lower-case words joined by hyphens")
    if origin not in known:
        raise ValueError(f"FROM is {origin!r}; it must be one of: {', '.join(known)}")
    folder = patterns / name
    if folder.exists():
        raise ValueError(f"{name} exists already")
    shutil.copytree(patterns / origin, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    declared = folder / "pattern.yml"
    # By lines: a parser would drop the comments and the order of an example to learn from.
    lines = [
        {"title": f"title: {name.replace('-', ' ').title()}", "order": None}.get(
            line.partition(":")[0], line
        )
        for line in declared.read_text().splitlines()
    ]
    declared.write_text("".join(f"{line}\n" for line in lines if line is not None))
    return folder


def main(name: str, origin: str) -> None:
    try:
        begin(name, origin)
    except ValueError as error:
        sys.exit(f"make pattern: {error}")
    import generated  # reads all patterns

    generated.write()
    print(NEXT.format(folder=f"templates/patterns/{name}", name=name, origin=origin), end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
