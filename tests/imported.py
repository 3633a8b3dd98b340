"""Which test files a file of this repository concerns that is no template.

Everything here imports almost everything else in the end, so the whole of it tells nothing. A
module concerns the tests that import it themselves or by a helper beside them, and those in the
folder that is named as its package is: `local/emulator/adapters/sqs` is tested by the files in
`tests/local/emulator/adapters/sqs`.
"""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
SOURCES = ("src", "tests")
"""The folders that imports start from."""

PACKAGE = "sls_patterns_cli"
FIRST_OF_A_PACKAGE = len(Path("src", PACKAGE, "package", "module.py").parts)
FOLDERS = {
    **dict.fromkeys(("asking", "choosing", "dashboards", "doctor", "rendering", "terminal"), "cli"),
    "cloudformation": "wiring",
    "updating": "update",
}
"""The folders of tests that are not named as the packages that they test."""


def concerned(changed: Iterable[str]) -> set[Path]:
    """Return the test files that changed files concern; files are named from the root."""
    tests = set[Path]()
    names = {str(file): name for name, file in _modules().items()}
    for file in map(Path, changed):
        if name := names.get(str(file)):
            tests |= _importing(name) | _beside(file)
            if file.name.startswith("test_"):
                tests.add(ROOT / file)
        elif file.parts[0] == "tests" and len(file.parts) > len(("tests", "file")):
            tests |= set((ROOT / file).parent.glob("test_*.py"))  # data of the tests beside it
        elif file.suffix == ".md" and file.parts[0] not in {"templates", "tests"}:
            tests |= set((ROOT / "tests/docs").glob("test_*.py"))
    return tests


def _importing(module: str) -> set[Path]:
    found = set()
    for name, file in _modules().items():
        if file.name.startswith("test_"):
            helpers = {each for each in imports(name) if _is_beside(_modules()[each], file)}
            used = imports(name).union(*(imports(each) for each in helpers))
            if module in used:
                found.add(ROOT / file)
    return found


def _is_beside(helper: Path, test: Path) -> bool:
    """Tell whether a module is a helper of the test's own folder, or of one around that."""
    return (
        helper.parts[0] == "tests"
        and helper.parent != Path("tests")
        and test.is_relative_to(helper.parent)
    )


def _beside(file: Path) -> set[Path]:
    """Return the tests in the folder that is named as the module's package, or the one around."""
    if file.parts[:2] != ("src", PACKAGE) or len(file.parts) < FIRST_OF_A_PACKAGE:
        return set()
    first, *others = file.parts[2:-1]
    folder = ROOT / "tests" / FOLDERS.get(first, first) / Path(*others)
    while not folder.is_dir():
        folder = folder.parent
    return set(folder.glob("test_*.py"))


@cache
def _modules() -> dict[str, Path]:
    """Return the files of all modules, from the root, by the names that imports use."""
    found = {}
    for source in SOURCES:
        for file in sorted((ROOT / source).rglob("*.py")):
            parts = PurePosixPath(file.relative_to(ROOT / source).as_posix()).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = file.relative_to(ROOT)
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """Return the modules of this repository that a module imports by name, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / _modules()[module]).read_bytes())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return frozenset(each for each in found if each in _modules() and each != module)
