"""Which tests are of which pattern, and which tests a change concerns."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatch
from functools import partial
from itertools import chain
from operator import itemgetter
from pathlib import Path

import imported
import pytest
from changes import ROOT, Changes
from variants import few_of

from sls_patterns_cli import catalog


def pattern_of(item: pytest.Item) -> str | None:
    """Return the pattern that a test is of, by its parameters; None if it is of no single one."""
    parameters = getattr(item, "callspec", None)
    for value in parameters.params.values() if parameters else ():
        variant = getattr(value, "variant", value)
        slug = getattr(variant, "pattern", value)
        if slug in catalog.slugs():
            return str(slug)
    return None


def is_whole(config: pytest.Config) -> bool:
    """Return whether a run has the tests of the whole suite, whatever marks it leaves out.

    Of a selection no pattern's share can be told: each pattern has other tests in it.
    """
    return is_all_of_its_part(config) and not config.getoption("--part", None)


def is_all_of_its_part(config: pytest.Config) -> bool:
    """Return whether a run has all tests of the part that it is of, or of all parts."""
    asked = ("--pattern", "--changed", "keyword", "deselect", "lf")
    whole_suite = config.args_source is config.ArgsSource.TESTPATHS
    return whole_suite and not any(config.getoption(each, None) for each in asked)


INFRASTRUCTURE = (
    *("template.yaml", "infrastructure/*", "app.*", "cdk.json", "stacks/*", "stand-ins/*"),
    *("statemachines/*", "migrations/*"),
)
PYTHON = ("*.py", "*pyproject.toml", "*requirements*.txt")
TYPESCRIPT = ("*.ts", "*.js", "*package.json", "*tsconfig.json")
SOURCES = ("src/*",)
UNIT_TESTS = ("tests/unit/*", "tests/__init__.py")
PROOFS = ("tests/e2e/*",)

READS: Mapping[str, tuple[str, ...]] = {
    "contract/": INFRASTRUCTURE,
    "docs/test_generated_readme.py": ("README.md", *INFRASTRUCTURE),
    "docs/test_readmes_and_workflows.py": ("README.md", ".github/*", *INFRASTRUCTURE),
    "openapi/": ("openapi.yml", *INFRASTRUCTURE, *SOURCES),
    "parity/": ("dashboard.svg", *INFRASTRUCTURE),
    "proofs/test_mutants.py::test_every_mutant_changes_its_project": (*INFRASTRUCTURE, *SOURCES),
    "proofs/test_proofs.py": (*INFRASTRUCTURE, *SOURCES, *PROOFS),
    "proofs/test_safety.py": PROOFS,
    "static/test_golden.py": ("*",),
    "static/test_imports.py": (*PYTHON, *TYPESCRIPT),
    "static/test_optional_parameters.py": INFRASTRUCTURE,
    "static/test_project.py": (*INFRASTRUCTURE, "Makefile"),
    "static/test_project.py::test_every_npm_package_that_is_imported_is_a_dependency": TYPESCRIPT,
    "static/test_project.py::test_no_error_of_validation_holds_the_input": SOURCES,
    "static/test_project.py::test_no_name_makes_code_that_the_formatter_would_change": (
        *PYTHON,
        *TYPESCRIPT,
    ),
    "static/test_project.py::test_style_and_types_of_typescript_have_nothing_to_say": TYPESCRIPT,
    "static/test_project.py::test_style_of_python_has_nothing_to_say": PYTHON,
    "static/test_project.py::test_the_tests_of_a_stack_pass_without_aws": INFRASTRUCTURE,
    "static/test_project.py::test_the_unit_tests_pass_without_aws": (*SOURCES, *UNIT_TESTS),
    "static/test_project.py::test_types_of_python_have_nothing_to_say": PYTHON,
    "static/test_proof_modules.py": PROOFS,
    "static/test_traces.py": SOURCES,
}
"""By folder, file or test: which files of a project it reads. `make check` runs no other test of a
pattern, as no other is about what a project holds."""

DEAR = "proofs/test_proofs.py"
"""Takes up to a minute a project, so `make check` runs it after the change of a single pattern."""


def reads(item: pytest.Item) -> tuple[str, ...]:
    """Return which files of a rendered project a test reads; none if it is about no project."""
    file = item.path.relative_to(ROOT / "tests").as_posix()
    name = getattr(item, "originalname", None)
    for place in (f"{file}::{name}", file, f"{file.partition('/')[0]}/"):
        if place in READS:
            return READS[place]
    return ()


def of_what_changed(items: list[pytest.Item], changes: Changes) -> list[pytest.Item]:
    """Return the tests that a change concerns.

    Of those of patterns, as few as read each changed content once; of all others those that import
    what has changed, or are named as its package.
    """
    files = imported.concerned(changes.files)
    wanted = {item for item in items if _is_concerned(item, files)}
    of_tests: dict[tuple[Path, str], list[pytest.Item]] = defaultdict(list)
    for item in items:
        if pattern_of(item) and item not in wanted and reads(item):
            of_tests[item.path, getattr(item, "originalname", item.name)].append(item)
    patterns = {name.partition("/")[0] for name in changes.rendered}
    for of_test in of_tests.values():
        if len(patterns) == 1 or reads(of_test[0]) != READS[DEAR]:
            wanted |= few_of(of_test, partial(_shown, changes))
    return [item for item in items if item in wanted]


def _is_concerned(item: pytest.Item, files: Collection[Path]) -> bool:
    """Tell whether a test's file is among these; a test of a pattern has to be in a changed one."""
    return item.path in files and not (pattern_of(item) and reads(item))


def _shown(changes: Changes, item: pytest.Item) -> set[tuple[str, ...]]:
    """Return the changed contents that a test reads, of its variant or of its whole pattern."""
    named = [str(getattr(each, "variant", each)) for each in item.callspec.params.values()]  # type: ignore[attr-defined]
    variants = [name for name in named if name in changes.rendered]
    if not variants and not any("/" in name for name in named):
        variants = list(changes.of_pattern(str(pattern_of(item))))
    return {
        (Path(path).name, digest)
        for variant in variants
        for path, digest in changes.rendered[variant].items()
        if any(fnmatch(path, pattern) for pattern in reads(item))
    }


BUSY = ("static", "parity", "contract")
"""Folders of tests that keep a processor busy; those that take longest at a time come first."""
PROVING = (
    "test_the_proof_notices",
    "test_every_declared_proof_passes",
    "test_a_proof_that_alone_notices_a_defect_passes",
)
WAITING = ("prove", "letters", "local")
"""Folders of other tests that wait for what runs on the local stack."""
IN_A_ROW = "update"
"""One worker runs most of its tests: begun last, they would be left to it alone."""
CROWDED = "test_conservation.py"
"""Sends so many messages that one test keeps all processors busy."""


def proofs_among_others(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests in an order that keeps the processors evenly busy.

    Proofs mostly wait: one after another they would leave the processors idle, and the other tests
    would wait for them. Those that need all processors would wait for each other.
    """
    proving: list[pytest.Item] = []
    waiting: list[pytest.Item] = []
    crowded: list[pytest.Item] = []
    busy: dict[str, list[pytest.Item]] = {folder: [] for folder in BUSY}
    others: list[pytest.Item] = []
    for item in items:
        folder = item.path.parent.name
        if getattr(item, "originalname", None) in PROVING:
            proving.append(item)
        elif item.path.name == CROWDED:
            crowded.append(item)
        elif folder in WAITING:
            waiting.append(item)
        else:
            busy.get(folder, others).append(item)
    others.sort(key=lambda item: item.path.parent.name != IN_A_ROW)
    working = [*chain.from_iterable(busy.values())]
    places = [
        (at / len(part), each)
        for part in (proving, waiting, crowded, working)
        for at, each in enumerate(part)
    ]
    return [*(item for _, item in sorted(places, key=itemgetter(0))), *others]
