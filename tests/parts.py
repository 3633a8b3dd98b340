"""The parts of `make test-all`: each takes at most half an hour of two cores.

As a program (`parts.py [PART ...] -- COMMAND`) it runs a command of pytest for each part that is
named, or for all of them, and ends with a table of what each took and found. `--list` lists them.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest
from selection import pattern_of

from sls_patterns_cli import catalog

OF_FOLDERS = {
    "static": ("static", "adapters"),
    "contract": ("contract", "parity", "wiring"),
    "update": ("update",),
    "prove": ("prove", "letters", "harness", "graphs", "alarms"),
    "apis": ("openapi", "hostile", "deploy_role", "datastores"),
    "emulator": ("local/emulator",),
    "tools": ("check", "cli", "docs", "local", "package", "suite"),
}
"""By part, its folders of tests; one that is named deeper comes before the one around it."""

RUNTIMES = ("python", "typescript")
HALVES = ("1", "2")
"""Of the patterns in the order of the catalogue."""

OF_TESTS = {
    "test_every_declared_proof_passes": tuple(f"proofs-{runtime}" for runtime in RUNTIMES),
    "test_a_proof_that_alone_notices_a_defect_passes": tuple(
        f"proofs-{runtime}" for runtime in RUNTIMES
    ),
    "test_the_proof_notices": tuple(
        f"mutants-{runtime}-{half}" for runtime in RUNTIMES for half in HALVES
    ),
    "test_each_of_thousands_is_done_once_or_kept": ("thousands",),
    "test_an_updated_project_passes_its_own_checks": ("updated-projects",),
    "test_a_project_updated_with_its_fixes_passes_its_own_checks": ("fixed-projects",),
}
"""By test, the parts that its parameters are in: what takes longest has parts of its own."""

CONSERVATION = "conservation"
OTHERS = "calls"
"""What else is proven on the local stack."""

PARTS = (*OF_FOLDERS, *dict.fromkeys(chain.from_iterable(OF_TESTS.values())), CONSERVATION, OTHERS)

ROOT = Path(__file__).parents[1]


def part_of(item: pytest.Item) -> str:
    """Return the part that a test is in.

    Raises:
        ValueError: it is in a folder that no part has.
    """
    name = getattr(item, "originalname", None)
    if name in OF_TESTS:
        (part, *others) = OF_TESTS[name]
        return _by_parameters(item, name) if others else part
    folder = item.path.parent.relative_to(ROOT / "tests").as_posix()
    if folder == "proofs":
        return CONSERVATION if item.path.name == "test_conservation.py" else OTHERS
    holding = [
        (len(each), part)
        for part, folders in OF_FOLDERS.items()
        for each in folders
        if f"{folder}/".startswith(f"{each}/")
    ]
    if not holding:
        raise ValueError(f"{folder} is in no part of `make test-all`: name it in tests/parts.py")
    return max(holding)[1]


def _by_parameters(item: pytest.Item, name: str) -> str:
    values = list(item.callspec.params.values())  # type: ignore[attr-defined]
    variant = getattr(values[0], "variant", values[0])
    slugs = list(catalog.slugs())
    half = HALVES[2 * slugs.index(str(pattern_of(item))) // len(slugs)]
    return next(
        part
        for part in OF_TESTS[name]
        if part.endswith((f"-{variant.runtime}", f"-{variant.runtime}-{half}"))
    )


def main(named: Sequence[str], command: Sequence[str]) -> int:
    """Run the parts, all of them although one fails; return 1 if any has failed."""
    if unknown := [each for each in named if each not in PARTS]:
        print(f"no part is named {', '.join(unknown)}; the parts are {', '.join(PARTS)}")
        return 2
    took = {}
    for part in named or PARTS:
        start = time.monotonic()
        code = subprocess.run([*command, "--part", part], check=False).returncode
        took[part] = code, (time.monotonic() - start) / 60
    print(f"\n{'part':24}{'minutes':>8}")
    for part, (code, minutes) in took.items():
        print(f"{part:24}{minutes:>8.1f}{'' if code == 0 else f'  exit code {code}'}")
    return int(any(code for code, _ in took.values()))


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print(*PARTS, sep="\n")
    else:
        end_of_parts = sys.argv.index("--")
        sys.exit(main(sys.argv[1:end_of_parts], sys.argv[end_of_parts + 1 :]))
