"""What engineers run first in a generated project has nothing to complain about."""

import ast
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from itertools import cycle
from pathlib import Path
from typing import Any

import looks
import policies
import pytest
import yaml
from _pytest.mark import ParameterSet
from contract import stack
from contract.stack import load, without_code
from environments import (
    UV,
    environment,
    fork,
    fork_by,
    link,
    link_modules,
    link_uv,
    node,
    npm,
    pins,
)
from kept import Look, Part, digest, is_off, kept, kept_of
from rendering import ROOT, render_project, text_for
from servers import Server, server
from spending import CLOCK
from synthesis import TEMPLATE, synthesise_into, template_files, with_templates_of
from tools import BIN, run, tool
from variants import (
    Variant,
    all_variants,
    combined_variants,
    covering,
    few_further_variants,
    few_of,
    is_retired,
    parameters,
    topology_of,
)

from sls_patterns_cli.cloudformation import document
from sls_patterns_cli.local.flavours.cdk import QUIET
from sls_patterns_cli.local.languages import interpreters, modules

CHECKER = Path(__file__)
"""Part of the key of all that it keeps: who looks."""
HERE = CHECKER.parent
PROGRAM = HERE / "check.mjs"
VARIANTS = list(all_variants())
OFFERED = [each for each in VARIANTS if not is_retired(each)]
RETIRED = [each for each in (*VARIANTS, *combined_variants()) if is_retired(each)]
COVERING = covering(OFFERED)
RUNTIMES = sorted({variant.runtime for variant in VARIANTS})
PATTERNS = sorted({variant.pattern for variant in VARIANTS})
# Each runtime once; with CDK the same is installed, and CDK.
INSTALLED = {("python", "sam"), ("typescript", "sam")}
SHORTEST_NAME, LONGEST_NAME = "ab", "a-name-of-forty-letters-the-longest-name"


CHECKED_BY_ONE = pytest.mark.xdist_group("typescript checked")
"""Marks tests of the TypeScript checker: what it has read of packages serves all on its worker."""


def bundled_by(iac: str) -> list[ParameterSet]:
    chosen = [each for each in VARIANTS if (each.iac, each.runtime) == (iac, "typescript")]
    return parameters(chosen, ())


def other_versions() -> list[tuple[str, str]]:
    """Return the versions of all runtimes that are not the default."""
    versions = yaml.safe_load((ROOT / "templates/runtimes/versions.yml").read_text())
    return [(runtime, version) for runtime, offered in versions.items() for version in offered[1:]]


def check_style(runtime: str, folder: Path, projects: Iterable[Path]) -> None:
    """Run the formatter, and in Python the linter, over projects below the folder."""
    if runtime == "typescript":
        check_typescript((), formatted=projects)
        return
    of_each = {each: (CHECKER, *looks.style_of_python(each)) for each in projects}
    with kept_of("style of Python", of_each) as new:
        if new:
            run([BIN / "ruff", "check", "--no-cache", *new], folder)
            run([BIN / "ruff", "format", "--no-cache", "--check", *new], folder)


def check_types(projects: Iterable[Path]) -> None:
    """Run mypy over few Python projects, in which each module comes with all that it imports.

    They are read together, since reading what packages have takes longer than a project; what uses
    CDK apart from the rest.
    """
    of_each = {each: (CHECKER, *looks.types_of_python(each)) for each in projects}
    with kept_of("types of Python", of_each) as new:
        contexts = {each: contexts_of_types(each) for each in new}
        stacks = {
            each: {context for context in contexts[each] if is_of_cdk(each, context[1])}
            for each in new
        }
        rest = {each: contexts[each] - stacks[each] for each in new}
        for what, shown in (("stacks", stacks), ("code", rest)):
            read_alike: dict[tuple[str, Path], list[Path]] = {}
            for project in sorted(few_of(new, shown.__getitem__)):
                settings = mypy_settings(project), environment(project)
                read_alike.setdefault(settings, []).append(project)
            for alike in read_alike.values():
                files = {each: modules_of(each, of_stack=what == "stacks") for each in alike}
                run_mypy(alike[0], ".", folder=together(what, files))


STACKS = r"^(app\.py$|infrastructure/|tests/infrastructure/)"
"""What of a project uses CDK."""


def is_of_cdk(project: Path, file: str) -> bool:
    return (project / "app.py").exists() and bool(re.match(STACKS, file))


def contexts_of_types(project: Path) -> set[tuple[str, ...]]:
    settings = mypy_settings(project)
    return {(settings, *each) for each in looks.contexts_of_modules(project)}


def modules_of(project: Path, *, of_stack: bool) -> list[str]:
    """Return the files of its stacks in CDK, or all others, with what these import."""
    reached = looks.modules_reached(dict(looks.contents(project, ".py")))
    found = [each for each in reached if is_of_cdk(project, each) == of_stack]
    return sorted({module for each in found for module in reached[each]})


def together(what: str, files: Mapping[Path, Sequence[str]]) -> Path:
    """Return a folder with modules of projects, in which each project's have names of their own."""
    (first, *_) = files
    folder = first.with_name(f"{first.name}.{what}")
    shutil.rmtree(folder, ignore_errors=True)
    for number, project in enumerate(files):
        roots = "|".join(map(re.escape, of_mypy(project)["mypy_path"].split(":")))
        places = {each: re.sub(f"^({roots})/", "", each) for each in files[project]}
        own = {place.partition("/")[0].removesuffix(".py") for place in places.values()}
        names = "|".join(own)
        for file, place in places.items():
            text = (project / file).read_text()
            text = re.sub(rf"(?m)^( *import )({names})$", rf"\1\2_{number} as \2", text)
            text = re.sub(rf"(?m)^( *(?:from|import) )({names})\b", rf"\1\2_{number}", text)
            renamed = folder / re.sub(r"(?<=\w)(?=/|\.py$)", f"_{number}", place, count=1)
            renamed.parent.mkdir(parents=True, exist_ok=True)
            renamed.write_text(text)
    return folder


def run_mypy(project: Path, *arguments: str, folder: Path | None = None) -> None:
    """Run it over what the arguments name in the project, or in a folder, as the project does."""
    python, folder = environment(project), folder or project
    tell_apart(folder)
    settings = with_plugins_of_all(project)
    mypy: list[str | Path] = [python / "mypy", "--config-file", settings, *arguments]
    cache = python.parent / "mypy-cache"
    # Projects have modules of the same names, so what one process writes there another reads.
    with cache.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cache.exists():
            with CLOCK.of_no_pattern():
                run(mypy, folder, MYPY_CACHE_DIR=str(cache))
        run(mypy, folder, MYPY_CACHE_DIR=str(cache))


def tell_apart(project: Path) -> None:
    """Mypy takes a module for the one of this name, size and second that it has read before."""
    moment = int(digest(str(project))[:8], 16)
    for file in project.rglob("*.py"):
        os.utime(file, (moment, moment))


PLUGINS = 'plugins = ["pydantic.mypy"]\n'


def with_plugins_of_all(project: Path) -> Path:
    """Return the project's settings of mypy, with the plugins that most projects have.

    Mypy keeps nothing of what it has read with other plugins, and CDK takes it two minutes.
    """
    settings = project / "pyproject.toml"
    text = settings.read_text()
    if PLUGINS not in text:
        settings = project.with_name(f"{project.name}.mypy.toml")
        settings.write_text(text.replace("[tool.mypy]\n", f"[tool.mypy]\n{PLUGINS}"))
    return settings


def mypy_settings(project: Path) -> str:
    """Return how strict mypy is; where it looks for a project's own files is no part of it."""
    return json.dumps({**of_mypy(project), "files": None, "mypy_path": None})


def of_mypy(project: Path) -> dict[str, Any]:
    settings: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text())["tool"]
    found: dict[str, Any] = settings["mypy"]
    return found


def check_typescript(linted: Iterable[Path], formatted: Iterable[Path] = ()) -> None:
    """Run Prettier over projects, over the first of them ESLint and tsc as well.

    Each distinct file is checked once in a worker, in whatever project it comes first.
    """
    # What CDK adds is checked with the rest, which the project in SAM shares.
    linted, formatted = (
        sorted(each, key=lambda p: not (p / "app.ts").exists()) for each in (linted, formatted)
    )
    link_modules(*linted, *formatted)
    of_each = {
        (what, each): (what, CHECKER, PROGRAM, *looks.code_in_typescript(each))
        for what, some in (("linted", linted), ("formatted", formatted))
        for each in some
    }
    with kept_of("TypeScript", of_each) as new:
        if new:
            ask_checker(
                [each for what, each in new if what == "linted"],
                [each for what, each in new if what == "formatted"],
            )


def ask_checker(linted: list[Path], formatted: list[Path]) -> None:
    folders = {"linted": [*map(str, linted)], "formatted": [*map(str, formatted)]}

    answer = typescript_checker([*linted, *formatted][0]).ask(folders)

    if answer["complaints"]:
        pytest.fail(answer["complaints"], pytrace=False)
    assert answer["read"]["prettier"]
    assert bool(answer["read"]["eslint"]) == bool(answer["read"]["tsc"]) == bool(linted)


def typescript_checker(project: Path) -> Server:
    """Return what checks projects that have the node_modules of this one."""
    place = (project / modules.FOLDER).resolve().parent
    return server((node().executable, PROGRAM, place))


def path_with_node(folder: Path) -> str:
    """Return a PATH on which `node` is our Node.js; npm is whichever the machine has."""
    (folder / "bin").mkdir()
    (folder / "bin/node").symlink_to(node().executable)
    return f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"


def run_npm(project: Path, *arguments: str, **variables: str) -> str:
    link_modules(project)
    command, environment = npm(*arguments)
    return run(command, project, **environment, **variables)


def as_npm_test(project: Path) -> list[str]:
    """Return the arguments with which `npm test` runs Vitest."""
    scripts = json.loads((project / "package.json").read_text())["scripts"]
    program, *arguments = shlex.split(scripts["test"])
    assert program == "vitest"
    return arguments


def run_vitest(project: Path, *arguments: str, **variables: str) -> str:
    """Run Vitest without npm, which takes longer to start than most unit tests."""
    link_modules(project)
    return vitest(project, *arguments, **variables)


def vitest(folder: Path, *arguments: str, **variables: str) -> str:
    program = folder / modules.FOLDER / "vitest/vitest.mjs"
    path = modules.environment(node())["PATH"]
    return run([node().executable, program, *arguments], folder, PATH=path, **variables)


class Projects(dict[Variant, Path]):
    """The projects of the variants, only to be read; all workers share what one has rendered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __missing__(self, variant: Variant) -> Path:
        project = self[variant] = self.folder / str(variant)
        if not project.exists():
            made = render_project(self.folder / f"{os.getpid()}" / str(variant), **variant.answers)
            project.parent.mkdir(exist_ok=True)
            with suppress(OSError):  # another worker has been faster
                made.rename(project)
        return project

    def of(self, variants: Iterable[Variant]) -> dict[Variant, Path]:
        return {variant: self[variant] for variant in variants}


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Projects:
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "projects"
    folder.mkdir(exist_ok=True)
    return Projects(folder)


def variants_in(
    pattern: str, runtime: str, further: Iterable[Variant] | None = None
) -> list[Variant]:
    """Return a pattern's variants in a runtime; `further` are those with other answers."""
    all_of_them = (*VARIANTS, *(combined_variants() if further is None else further))
    return [each for each in all_of_them if (each.pattern, each.runtime) == (pattern, runtime)]


def offered_in(pattern: str, runtime: str) -> list[Variant]:
    """Return those of topologies that are not retired; the others have a test of their own."""
    return [each for each in variants_in(pattern, runtime) if not is_retired(each)]


def renamed(variants: Iterable[Variant], name: str, into: Path) -> list[Path]:
    return [
        render_project(into / name / str(variant), **variant.answers, project_name=name)
        for variant in variants
    ]


# One worker reads the types of the packages for the first time, which takes a minute.
@pytest.mark.xdist_group("types of packages")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_types_of_python_have_nothing_to_say(
    pattern: str, projects: Projects, request: pytest.FixtureRequest
) -> None:
    """The first one reads all that are chosen: reading what packages have takes longer than that.

    What it has found good is kept for the others, and where it finds something, they tell whose.
    """
    with_functions = {each.iac: each for each in variants_in("simple-web-service", "python")}
    for variant in with_functions.values():
        environment(projects[variant])  # has the plugins, also for projects that have no functions

    chosen = [pattern] if is_off() else patterns_chosen(request.node)
    check_types(
        project for each in chosen for project in projects.of(offered_in(each, "python")).values()
    )


def patterns_chosen(test: pytest.Function) -> list[str]:
    """Return the patterns of which a test runs, its own first."""
    of_test = (each for each in test.session.items if isinstance(each, pytest.Function))
    alike = [each for each in of_test if each.originalname == test.originalname]
    return list(dict.fromkeys(str(each.callspec.params["pattern"]) for each in (test, *alike)))


@pytest.mark.xdist_group("types of packages")
def test_mypy_finds_modules_by_each_kind_of_settings(projects: Projects) -> None:
    """Above, modules have other names and are in one folder."""
    of_settings: dict[str, Path] = {}
    for pattern in PATTERNS:
        for project in projects.of(offered_in(pattern, "python")).values():
            of_settings.setdefault(json.dumps(of_mypy(project)), project)

    for project in of_settings.values():
        run_mypy(project)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_style_of_python_has_nothing_to_say(
    pattern: str, projects: Projects, tmp_path: Path
) -> None:
    variants = offered_in(pattern, "python")

    long = renamed(COVERING.intersection(variants), LONGEST_NAME, tmp_path)
    check_style("python", tmp_path, [*projects.of(variants).values(), *long])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_error_of_validation_holds_the_input(pattern: str, projects: Projects) -> None:
    """Such errors are logged, and Lambda keeps them with events that failed."""
    for variant, project in projects.of(variants_in(pattern, "python")).items():
        for file in project.glob("src/**/*.py"):
            shown = list(showing_input(ast.parse(file.read_text())))
            assert shown == [], (variant, file.relative_to(project))


def showing_input(module: ast.Module) -> Iterator[str]:
    """Find the models and adapters of Pydantic whose errors hold what was validated."""
    for part in ast.walk(module):
        match part:
            case ast.ClassDef(name=name, bases=[ast.Name("BaseModel")], keywords=options):
                if "hide_input_in_errors" not in {each.arg for each in options}:
                    yield name
            case ast.Call(func=ast.Name("TypeAdapter"), keywords=options):
                # It does not have the configuration of its models.
                if "config" not in {each.arg for each in options}:
                    yield ast.unparse(part)


def test_a_model_and_an_adapter_that_show_their_input_are_found() -> None:
    module = ast.parse(
        "class Person(BaseModel, frozen=True): ...\n"
        "class Quiet(BaseModel, hide_input_in_errors=True): ...\n"
        "people = TypeAdapter(Person)\n"
        "quiet = TypeAdapter(Person, config=HIDDEN)\n"
    )

    assert list(showing_input(module)) == ["Person", "TypeAdapter(Person)"]


@CHECKED_BY_ONE
@pytest.mark.parametrize("pattern", PATTERNS)
def test_style_and_types_of_typescript_have_nothing_to_say(
    pattern: str, projects: Projects, tmp_path: Path
) -> None:
    variants = offered_in(pattern, "typescript")
    plain = [each for each in variants if not each.further]

    long = renamed(COVERING.intersection(variants), LONGEST_NAME, tmp_path)
    others = projects.of(each for each in variants if each.further).values()
    check_typescript(projects.of(plain).values(), formatted=[*others, *long])


@pytest.mark.exhaustive
@CHECKED_BY_ONE
@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_other_answer_alone_is_as_clean(
    pattern: str, projects: Projects, tmp_path: Path
) -> None:
    python, typescript = (
        projects.of(variants_in(pattern, runtime, few_further_variants())).values()
        for runtime in ("python", "typescript")
    )

    check_style("python", tmp_path, python)
    check_types(python)
    check_typescript(typescript)


@pytest.mark.exhaustive
@CHECKED_BY_ONE
@pytest.mark.parametrize("pattern", sorted({variant.pattern for variant in RETIRED}))
def test_what_is_retired_is_as_clean(pattern: str, projects: Projects, tmp_path: Path) -> None:
    retired = projects.of(each for each in RETIRED if each.pattern == pattern)
    python = [project for each, project in retired.items() if each.runtime == "python"]
    typescript = [project for each, project in retired.items() if each.runtime == "typescript"]

    check_style("python", tmp_path, python)
    check_types(python)
    check_typescript(typescript)
    run_distinct_unit_tests(retired, tmp_path)
    lint_templates(projects, retired, *CDK_WRITES)
    check_with_checkov(projects, retired)


@pytest.mark.exhaustive
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", [SHORTEST_NAME, LONGEST_NAME])
def test_no_name_makes_code_that_the_formatter_would_change(
    pattern: str, runtime: str, name: str, tmp_path: Path
) -> None:
    projects = renamed(variants_in(pattern, runtime), name, tmp_path)

    check_style(runtime, tmp_path, projects)


def test_a_project_may_have_the_name_of_a_module_that_its_tests_share(
    projects: Projects, tmp_path: Path
) -> None:
    variants = [variants_in(pattern, "python")[0] for pattern in PATTERNS]
    shared = {
        module.stem: variant
        for variant in variants
        for module in (projects[variant] / "tests").glob("*.py")
    }
    assert shared

    namesakes = {
        module: renamed([variant], module.replace("_", "-"), tmp_path)[0]
        for module, variant in shared.items()
    }
    check_style("python", tmp_path, namesakes.values())
    check_types(namesakes.values())
    for module, namesake in namesakes.items():
        run_unit_tests(shared[module], namesake)
        python = environment(namesake) / "python"
        collected = run(
            [python, "-m", "pytest", "-q", "--collect-only", "tests/e2e"], namesake, FORCE="1"
        )
        assert "test_proofs.py" in collected


@CHECKED_BY_ONE
@pytest.mark.parametrize(("runtime", "version"), other_versions())
def test_every_version_of_the_runtime_is_as_clean(
    runtime: str, version: str, tmp_path: Path
) -> None:
    variant = next(variant for variant in VARIANTS if variant.runtime == runtime)
    project = render_project(tmp_path / "project", **variant.answers, runtime_version=version)

    if runtime == "typescript":
        check_typescript([project])
        return
    check_style(runtime, tmp_path, [project])
    check_types([project])


def test_what_one_of_many_python_projects_has_is_found(tmp_path: Path) -> None:
    answers = {"pattern": "internal-api", "runtime": "python"}
    good, bad = (render_project(tmp_path / each, **answers) for each in ("good", "bad"))
    for project, b in {good: '"text"', bad: "1"}.items():
        (project / "src/b.py").write_text(f"b = {b}\n")
        # The same bytes in both, of which the types are wrong in one.
        (project / "src/a.py").write_text("from b import b\n\na: str = b\n")
    (bad / "src/c.py").write_text("import os\nc  = 1\n")

    with pytest.raises(pytest.fail.Exception, match="Incompatible types in assignment"):
        check_types([good, bad])
    with pytest.raises(pytest.fail.Exception, match="F401"):
        check_style("python", tmp_path, [good, bad])
    check_types([good])
    check_style("python", tmp_path, [good])


def test_what_one_of_many_stacks_has_is_found(tmp_path: Path) -> None:
    answers = {"pattern": "internal-api", "runtime": "python", "iac": "cdk"}
    good, bad = (render_project(tmp_path / each, **answers) for each in ("good", "bad"))
    stack = bad / "infrastructure/stack.py"
    stack.write_text(stack.read_text() + "\n\nWRONG: str = cdk.Duration.seconds(1)\n")

    check_types([good])
    with pytest.raises(pytest.fail.Exception, match="Incompatible types in assignment"):
        check_types([good, bad])


def test_projects_of_the_same_second_are_told_apart(tmp_path: Path) -> None:
    answers = {"pattern": "internal-api", "runtime": "python"}
    good, bad = (render_project(tmp_path / each, **answers) for each in ("good", "bad"))
    for project, value in {good: '"1"', bad: "111"}.items():
        module = project / "src/a.py"
        module.write_text(f"a: str = {value}\n")
        os.utime(module, (1, 1))

    check_types([good])
    with pytest.raises(pytest.fail.Exception, match="Incompatible types in assignment"):
        check_types([bad])


@CHECKED_BY_ONE
def test_what_one_of_many_typescript_projects_has_is_found(tmp_path: Path) -> None:
    variant = Variant("simple-web-service", "http-api", "typescript", "sam", "dynamodb")
    good, bad = (render_project(tmp_path / each, **variant.answers) for each in ("good", "bad"))
    for project, b in {good: '"text"', bad: "1"}.items():
        (project / "src/b.ts").write_text(f"export const b = {b};\n")
        # The same bytes in both, of which the types are wrong in one.
        (project / "src/a.ts").write_text(
            'import { b } from "./b.ts";\n\nexport const a: string = b;\n'
        )
    (bad / "src/c.ts").write_text("export const c  = [1].map(async (n) => n);\n")

    with pytest.raises(pytest.fail.Exception) as failed:
        check_typescript([good, bad])

    told = str(failed.value)
    assert "src/a.ts(3,14): error TS2322" in told
    assert "@typescript-eslint/require-await" in told
    assert "src/c.ts is not as Prettier formats it" in told
    assert str(good) not in told


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_npm_package_that_is_imported_is_a_dependency(
    pattern: str, projects: Projects
) -> None:
    for variant, project in projects.of(variants_in(pattern, "typescript")).items():
        manifest = json.loads((project / "package.json").read_text())
        # A project without code has none for Lambda.
        for_lambda = manifest.get("dependencies", {})
        for_development = manifest["devDependencies"]
        for path, text in looks.contents(project, ".ts", ".js"):
            for name in packages_imported(text):
                declared = name in for_lambda
                if not path.startswith("src/"):
                    declared = declared or name in for_development
                assert declared or f"@types/{name}" in for_development, (variant, path, name)


def packages_imported(text: str) -> set[str]:
    found = re.findall(
        r"""(?:from|import|import\()\s*["'](@[\w.-]+/[\w.-]+|[\w-][\w.-]*)(?=["'/])""", text
    )
    return set(found) - {"node"}


TESTS_OF_MANY, IN_ITS_PROJECT = HERE / "tests_of_many.mjs", HERE / "in_its_project.mjs"
ONE_PROCESS = ("--no-isolate", "--maxWorkers=1")
ISOLATED = ("--pool=threads", "--maxWorkers=1")


def run_unit_tests(variant: Variant, project: Path, *chosen: str) -> None:
    """Run unit tests without AWS: all that the project has, its stack's too, or the chosen.

    Vitest runs them in one process, as pytest does, but for those that replace something for their
    file: by itself, as another test shows, it isolates each, and imports the SDK as often.
    """
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    if variant.runtime == "typescript":
        command = ("run", *chosen) if chosen else as_npm_test(project)
        apart = replacing(project)
        others = [f"--exclude={each}" for each in apart]
        printed = run_vitest(project, *command, *ONE_PROCESS, *others, **nowhere)
        if apart:
            run_vitest(project, *command, *ISOLATED, *apart, **nowhere)
    else:
        printed = fork(project, "tests", "-q", *chosen, **nowhere)
    assert " passed" in printed


def run_tests_of_many(projects: Sequence[Path], which: str, folder: Path) -> None:
    """Run tests of TypeScript projects, `unit` or `infrastructure`, in one process: to import the
    SDK, or CDK, takes longer than the tests of ten projects.
    """
    link_modules(*projects)
    tests = {str(each) for project in projects for each in project.glob(f"tests/{which}/*.test.ts")}
    alone = {str(project / each) for project in projects for each in replacing(project)} & tests
    chosen = {"together": sorted(tests - alone), "alone": sorted(alone)}
    # What one needs, such as a plugin that reads SQL, does nothing in the others.
    widest = max(projects, key=lambda each: len((each / "vitest.config.ts").read_text()))
    about = {"root": str(widest), "which": which, **chosen}
    (folder / "projects.json").write_text(json.dumps(about))
    shutil.copy(IN_ITS_PROJECT, folder)
    shutil.copy(TESTS_OF_MANY, folder / "vitest.config.mjs")
    for name in (modules.FOLDER, modules.LOCK):  # CDK looks for both where it runs
        link(folder / name, (projects[0] / name).resolve())
    patience = () if which == "unit" else ("--testTimeout=60000",)
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}

    printed = vitest(folder, "run", "--maxWorkers=1", *patience, NO_COLOR="1", **nowhere, **QUIET)

    assert re.search(rf"Test Files +{len(tests)} passed", printed), printed


REPLACING = ("vi.mock(", "LocalDurableTestRunner", "vi.spyOn(context,", "new Warehouse(")


def replacing(project: Path) -> list[str]:
    """Return the tests that replace a module, the clock or what Lambda gives, for their file.

    In one process, a module that an earlier file has imported keeps the context of that file.
    """
    tests = {file: file.read_text() for file in project.glob("tests/unit/*.test.ts")}
    return [
        str(file.relative_to(project))
        for file, text in tests.items()
        if any(each in text for each in REPLACING)
    ]


ONLY_UNIT = {"python": ("tests/unit",), "typescript": ("--project", "unit")}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_unit_tests_pass_without_aws(
    pattern: str, runtime: str, projects: Projects, tmp_path: Path
) -> None:
    """Few projects run theirs, among them each text of code and of unit tests."""
    of = projects.of(offered_in(pattern, runtime))
    few = few_of(list(of), lambda each: looks.texts_of_unit_tests(of[each]))
    run_distinct_unit_tests({each: of[each] for each in of if each in few}, tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_all_unit_tests_pass_without_aws(
    pattern: str, runtime: str, projects: Projects, tmp_path: Path
) -> None:
    run_distinct_unit_tests(projects.of(offered_in(pattern, runtime)), tmp_path)


def run_distinct_unit_tests(projects: Mapping[Variant, Path], folder: Path) -> None:
    """Of variants that have the same code and the same unit tests, let the first one run them."""
    distinct: dict[str, Variant] = {}
    for variant, project in projects.items():
        distinct.setdefault(looks.seen_by_unit_tests(project), variant)
    who = CHECKER, TESTS_OF_MANY, IN_ITS_PROJECT
    of_each = {each: (*who, *looks.unit_tests(projects[each])) for each in distinct.values()}
    with kept_of("unit tests", of_each) as new:
        in_typescript = [projects[each] for each in new if each.runtime == "typescript"]
        if in_typescript:
            run_tests_of_many(in_typescript, "unit", folder)
        for variant in new:
            if variant.runtime == "python":
                run_unit_tests(variant, projects[variant], *ONLY_UNIT[variant.runtime])


def test_a_unit_test_of_one_of_many_that_fails_is_named(tmp_path: Path) -> None:
    """It finds its project's folder, and no variable that another project has set."""
    folders = []
    for pattern in ("internal-api", "internal-handoff"):
        folders.append(render_project(tmp_path / pattern, pattern=pattern, runtime="typescript"))
        own = f"OF_{pattern}"
        with (folders[-1] / "tests/unit/surroundings.ts").open("a") as surroundings:
            surroundings.write(f'process.env["{own}"] = "set";\n')
        (folders[-1] / "tests/unit/zz.test.ts").write_text(
            'import { readFileSync } from "node:fs";\n'
            'import { expect, test } from "vitest";\n'
            'const set = Object.keys(process.env).filter((each) => each.startsWith("OF_"));\n'
            f'test("has its own", () => expect(set).toEqual(["{own}"]));\n'
            f'test("is at home", () => expect(readFileSync("package.json", "utf8")).toContain'
            f'("{pattern}"));\n'
            f'test("fails in {pattern}", () => expect(1).toBe(2));\n'
        )

    with pytest.raises(pytest.fail.Exception) as failed:
        run_tests_of_many(folders, "unit", tmp_path)

    named = re.findall(r"FAIL .*zz\.test\.ts > (.*)", str(failed.value))
    assert sorted(named) == ["fails in internal-api", "fails in internal-handoff"]


CDK_IN_PYTHON = [each for each in VARIANTS if (each.runtime, each.iac) == ("python", "cdk")]


@pytest.mark.parametrize("variant", parameters(CDK_IN_PYTHON, COVERING))
def test_the_tests_of_a_stack_pass_without_aws(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    add_solutions_check(variant, project)
    with kept("tests of a stack", CHECKER, *looks.all_but_pages(project)) as is_new:
        if is_new:
            run_unit_tests(variant, project, "tests/infrastructure")


def test_the_tests_of_every_stack_in_typescript_pass(tmp_path: Path) -> None:
    stacks = []
    for variant in VARIANTS:
        if (variant.runtime, variant.iac) == ("typescript", "cdk"):
            stacks.append(render_project(tmp_path / str(variant), **variant.answers))
            add_solutions_check(variant, stacks[-1])
    who = CHECKER, TESTS_OF_MANY, IN_ITS_PROJECT
    of_each = {each: (*who, *looks.all_but_pages(each)) for each in stacks}
    with kept_of("tests of stacks", of_each) as new:
        if new:
            run_tests_of_many(new, "infrastructure", tmp_path)


CDK_NAG = "cdk-nag==3.0.2"


def add_solutions_check(variant: Variant, project: Path) -> None:
    """Beside a stack's own test, add that AWS Solutions finds nothing which has no reason."""
    check = text_for(variant, project, HERE.parent / f"stacks/{variant.runtime}.jinja")
    name = {"python": "test_solutions.py", "typescript": "solutions.test.ts"}[variant.runtime]
    (project / "tests/infrastructure" / name).write_text(check)
    if variant.runtime == "python":
        with (project / "requirements-dev.txt").open("a") as requirements:
            requirements.write(f"{CDK_NAG}\n")


def test_a_project_lints_its_own_state_machines(projects: Projects) -> None:
    statelint = metadata.version("statelint")
    linted: dict[tuple[Path, Path], Look] = {}
    for variant, project in projects.of(VARIANTS).items():
        for definition in project.glob("statemachines/*"):
            if '"DISTRIBUTED"' in definition.read_text():
                continue  # no linter knows its reader: `test_distributed_maps.py`
            if variant.runtime == "typescript":
                scripts = json.loads((project / "package.json").read_text())["scripts"]
                assert scripts["lint"].endswith(f" && {asl_validator(definition)}")
                link_modules(project)
            else:
                command = f"statelint statemachines/{definition.name}"
                assert f"\t.venv/bin/{command}\n" in (project / "Makefile").read_text()
                assert "statelint==3.1.0\n" in (project / "requirements-dev.txt").read_text()
            linted[project, definition] = (
                CHECKER,
                statelint,
                *looks.runner(project),
                definition,
            )

    assert linted
    with kept_of("state machines", linted) as new:
        for project, definition in new:
            lint_definition(project, definition)


def asl_validator(definition: Path) -> str:
    # It does not take `${Partition}` for a part of an ARN.
    filled_in = f"$(sed 's/${{Partition}}/aws/' statemachines/{definition.name})"
    return f'asl-validator --json-definition "{filled_in}"'


def lint_definition(project: Path, definition: Path) -> None:
    if not (project / modules.MANIFEST).exists():
        run([BIN / "statelint", f"statemachines/{definition.name}"], project)
        return
    program = project / "node_modules/.bin/asl-validator"
    rest = asl_validator(definition).removeprefix("asl-validator")
    run(["sh", "-c", f"{node().executable} {program}{rest}"], project)


def test_the_linter_of_a_typescript_project_reads_jsonata(
    projects: Projects,
) -> None:
    written = (projects[v] for v in VARIANTS if v.runtime == "typescript")
    definition = next(file for project in written for file in project.glob("statemachines/*"))
    project = definition.parents[1]
    link_modules(project)
    right = definition.read_text().replace("${Partition}", "aws")
    broken = right.replace(" %}", " ) %}", 1)
    linter = project / "node_modules/.bin/asl-validator"

    run([node().executable, linter, "--json-definition", right], project)
    with pytest.raises(pytest.fail.Exception, match="is invalid"):
        run([node().executable, linter, "--json-definition", broken], project)


def one_of_each_pattern(variants: Sequence[Variant]) -> list[Variant]:
    """Return one variant of each pattern in CDK, the languages in turn."""
    runtimes = dict(zip(PATTERNS, cycle(RUNTIMES), strict=False))
    candidates = (v for v in variants if (v.iac, v.runtime) == ("cdk", runtimes[v.pattern]))
    return list({each.pattern: each for each in candidates}.values())


BY_PATTERN = [pytest.param(each, marks=with_templates_of(each)) for each in PATTERNS]


@pytest.mark.parametrize("pattern", BY_PATTERN)
@pytest.mark.parametrize(
    ("iac", "candidates"),
    [
        pytest.param("sam", [*OFFERED, *combined_variants()], id="sam"),
        # What parity finds the same in both flavours, SAM's templates show.
        pytest.param("cdk", one_of_each_pattern(OFFERED), id="cdk"),
        pytest.param("cdk", OFFERED, id="cdk-all", marks=pytest.mark.exhaustive),
        # test_optional_parameters.py compares the flavours with their parameters.
        pytest.param("cdk", combined_variants(), id="others", marks=pytest.mark.exhaustive),
    ],
)
def test_cfn_lint_finds_nothing_in_any_template(
    pattern: str, iac: str, candidates: Sequence[Variant], projects: Projects
) -> None:
    chosen = [each for each in candidates if (each.pattern, each.iac) == (pattern, iac)]

    lint_templates(projects, chosen, *(CDK_WRITES if iac == "cdk" else ()))


CDK_WRITES = ("--ignore-checks", "W3005")
"""CDK writes down dependencies that there are anyway."""


def lint_templates(projects: Projects, chosen: Iterable[Variant], *options: str) -> None:
    versions = [metadata.version(each) for each in ("cfn-lint", "aws-sam-translator")]
    with new_templates(projects, chosen, "cfn-lint", *versions, *options) as new:
        if new:
            fork_by(BIN / "python", HERE, "cfn-lint", *options, "--", *map(str, new))


@pytest.mark.parametrize("pattern", BY_PATTERN)
@pytest.mark.parametrize(
    "candidates",
    [
        pytest.param(
            [*(v for v in OFFERED if v.iac == "sam"), *one_of_each_pattern(OFFERED)], id="few"
        ),
        pytest.param(OFFERED, id="all", marks=pytest.mark.exhaustive),
    ],
)
def test_checkov_finds_nothing_that_has_no_reason(
    pattern: str, candidates: Sequence[Variant], projects: Projects
) -> None:
    check_with_checkov(projects, [each for each in candidates if each.pattern == pattern])


def check_with_checkov(projects: Projects, chosen: Iterable[Variant]) -> None:
    """Let checkov find nothing in the templates of variants that their projects do not explain."""
    chosen = list(chosen)
    version, reader = tool("SLS_CHECKOV"), Path(policies.__file__)
    with new_templates(projects, chosen, "checkov", version, policies.CONFIG, reader) as new:
        if new:
            assert list(unexplained_by_checkov(new, projects.of(chosen).values())) == []


def unexplained_by_checkov(files: Iterable[Path], folders: Collection[Path]) -> Iterator[str]:
    arguments = [word for file in files for word in ("--file", str(file))]
    of_project = {
        file.resolve(): folder
        for folder, template in template_files(folders).items()
        for file in (template, *folder.glob("stacks/*.yaml"))
    }

    python = Path(tool("SLS_CHECKOV")).with_name("python")
    settings = ("--soft-fail", "--config-file", str(policies.CONFIG), "--output", "json")
    printed = fork_by(python, HERE, "checkov", *settings, *arguments)
    return policies.unexplained(printed, of_project)


@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_the_command_of_checkov_names_the_template(iac: str, projects: Projects) -> None:
    project = projects[next(each for each in VARIANTS if each.iac == iac)]
    template = "template.yaml"
    if iac == "cdk":
        folder = json.loads((project / "cdk.json").read_text())["output"]
        template = f"{folder}/{TEMPLATE}"

    assert f" --file {template}\n" in (project / ".checkov.yaml").read_text()


@contextmanager
def new_templates(
    projects: Projects, variants: Iterable[Variant], tool: str, *settings: Part
) -> Iterator[list[Path]]:
    """Give the block the distinct templates of variants that the tool has not found good so far."""
    folders = projects.of(variants)
    templates = template_files(folders.values())
    reader = (CHECKER, Path(stack.__file__))
    of_each = {
        variant: (*settings, *reader, *looks.infrastructure(folder, templates[folder]))
        for variant, folder in folders.items()
    }
    with kept_of(tool, of_each) as new:
        yield distinct_templates({each: folders[each] for each in new}, templates)


def distinct_templates(
    folders: Mapping[Variant, Path], templates: Mapping[Path, Path]
) -> list[Path]:
    """Return a template of each distinct content, those for others to copy included.

    Templates that differ in the code of their functions alone are one content; of each runtime
    there is one at least.
    """
    contents = {without_code(load(folder)): templates[folder] for folder in folders.values()}
    runtimes = {variant.runtime: templates[folder] for variant, folder in folders.items()}
    copied = {
        file.read_bytes(): file
        for folder in folders.values()
        for file in folder.glob("stacks/*.yaml")
    }
    return list({*contents.values(), *runtimes.values(), *copied.values()})


def test_the_feature_flags_of_cdk_are_those_that_its_version_recommends(tmp_path: Path) -> None:
    """https://docs.aws.amazon.com/cdk/v2/guide/featureflags.html."""
    variant = next(each for each in VARIANTS if (each.runtime, each.iac) == ("typescript", "cdk"))
    project = render_project(tmp_path / "shop", **variant.answers)
    link_modules(project)
    library = project / modules.FOLDER / "aws-cdk-lib"

    recommended = json.loads((library / "recommended-feature-flags.json").read_text())

    assert json.loads((project / "cdk.json").read_text())["context"] == recommended


def test_zizmor_finds_nothing_in_the_workflows(projects: Projects) -> None:
    workflows = [project / ".github/workflows" for project in projects.of(VARIANTS).values()]

    zizmor = metadata.version("zizmor")
    with kept_of("zizmor", {each: (CHECKER, zizmor, each) for each in workflows}) as new:
        if new:
            command = ("--offline", "--quiet", "--persona", "pedantic")
            run([BIN / "zizmor", *command, *new], HERE)


@pytest.mark.parametrize("iac", ["sam", "cdk"])
@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("echo arn:aws:iam::111122223333:role/ApiGatewayLogs", ""),
        (
            "echo None",
            'API Gateway has no role to write logs with here: see "Deploy" in the README.\n',
        ),
        # Who may not look is not stopped.
        ("echo AccessDenied >&2; exit 254", ""),
    ],
)
def test_a_deployment_of_an_api_that_logs_by_a_role_asks_first_for_that_role(
    iac: str, asked: str, says: str, tmp_path: Path
) -> None:
    answers = {"pattern": "scalable-webhook", "topology": "direct", "iac": iac}
    project = render_project(tmp_path / "project", **answers)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, command in (("sam", "echo deployed"), ("npx", "echo deployed"), ("aws", asked)):
        (tools / name).write_text(f"#!/bin/sh\n{command}\n")
        (tools / name).chmod(0o755)
    link_uv(project, Path("/bin/true"))  # nothing was built into which it could install

    made = subprocess.run(
        ["make", "--silent", "deploy", "--assume-old", ".venv/installed"],
        cwd=project,
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert made.stderr.startswith(says)
    assert ("deployed" in made.stdout) == (made.returncode == 0) == (says == "")


SAM_SETTINGS = {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}


def sam(project: Path, *arguments: str, **variables: str) -> None:
    python = Path(tool("SLS_SAM")).with_name("python")
    fork_by(python, project, "sam", *arguments, **SAM_SETTINGS, **variables)


def handlers_of(project: Path) -> list[Path]:
    """Return the handlers of a TypeScript project, an authorizer's included."""
    return [
        *(project / "src/handlers").glob("*"),
        *(project / "src/authorizer").glob("authorize.ts"),
    ]


IN_SAM = [each for each in OFFERED if (each.iac, each.runtime) == ("sam", "python")]


def kinds_of_nodes(variant: Variant) -> set[tuple[str, ...]]:
    return {(node.kind,) for node in topology_of(variant).nodes}


MOST_KINDS_IN_SAM = sorted(IN_SAM, key=lambda each: len(kinds_of_nodes(each)))[-3:]


# cfn-lint and the contract expand each template with the same translator.
@pytest.mark.parametrize("variant", parameters(IN_SAM, MOST_KINDS_IN_SAM))
def test_sam_validates_the_template(variant: Variant, projects: Projects) -> None:
    project = projects[variant]
    look = looks.infrastructure(project, project / "template.yaml")
    with kept(
        "sam validate", CHECKER, tool("SLS_SAM"), project / "samconfig.toml", *look
    ) as is_new:
        if is_new:
            sam(project, "validate")  # a test of its own reads it with cfn-lint


def test_each_function_in_typescript_is_bundled_as_all_are(projects: Projects) -> None:
    """So few bundles stand for all; each handler is there, and has a function."""
    builds = {
        variant: functions_built(project)
        for variant, project in projects.of(VARIANTS).items()
        if (variant.iac, variant.runtime) == ("sam", "typescript")
    }

    settings = {json.dumps(each, sort_keys=True) for built in builds.values() for *_, each in built}
    assert len(settings) == 1
    for variant, built in builds.items():
        source = projects[variant] / "src"
        assert {source / entry for _, entry, _ in built} == {*handlers_of(projects[variant])}
        for handler, entry, _ in built:
            name, _, exported = handler.rpartition(".")
            assert Path(name).name == Path(entry).stem
            assert re.search(
                rf"^export .*\b{exported}\b", (source / entry).read_text(), re.MULTILINE
            )


def functions_built(project: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Return handler, entry point and other settings of each function that SAM bundles."""
    template = document.read(project / "template.yaml")
    shared = template.get("Globals", {}).get("Function", {})
    found = []
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = {**shared, **resource["Properties"]}
            build = dict(resource["Metadata"])
            settings = dict(build.pop("BuildProperties"))
            (entry,) = settings.pop("EntryPoints")
            built = {"from": properties["CodeUri"], **build, **settings}
            found.append((properties["Handler"], entry, built))
    return found


def with_each_package(projects: Projects, iac: str) -> list[Path]:
    """Return few TypeScript projects whose functions have each package that any project has."""
    folders = projects.of(v for v in OFFERED if (v.iac, v.runtime) == (iac, "typescript"))
    return sorted(few_of([*folders.values()], packages_for_lambda))


def packages_for_lambda(project: Path) -> set[tuple[str, ...]]:
    manifest = json.loads((project / modules.MANIFEST).read_text())
    return {*manifest.get("dependencies", {}).items()}


def test_sam_bundles_each_package_for_lambda(projects: Projects, tmp_path: Path) -> None:
    chosen = with_each_package(projects, "sam")
    of_each = {each: (CHECKER, tool("SLS_SAM"), *looks.all_but_pages(each)) for each in chosen}
    with kept_of("bundles of SAM", of_each) as new:
        for number, project in enumerate(new):
            (folder := tmp_path / str(number)).mkdir()
            bundle_with_sam(project, folder)


@pytest.mark.parametrize("variant", bundled_by("sam"))
def test_sam_bundles_every_variant(variant: Variant, projects: Projects, tmp_path: Path) -> None:
    bundle_with_sam(projects[variant], tmp_path)


def copied(project: Path, folder: Path) -> Path:
    """Return a copy, since other tests look at all that is in a project of several variants."""
    return Path(shutil.copytree(project, folder / project.name, symlinks=True))


def bundle_with_sam(of: Path, folder: Path) -> None:
    project = copied(of, folder)
    link_modules(project)
    path = f"{project / modules.FOLDER / '.bin'}{os.pathsep}{path_with_node(folder)}"

    sam(project, "build", PATH=path)

    assert built_files(project) == files_of_bundles(project)


def with_distinct_packages(projects: Projects, iac: str) -> list[Path]:
    """Return a Python project for each list of packages that is not part of another list."""
    chosen = [each for each in VARIANTS if (each.runtime, each.iac) == ("python", iac)]
    lists = (each / "src/requirements.txt" for each in projects.of(chosen).values())
    found = {frozenset(pins(file)): file.parents[1] for file in lists if file.exists()}
    return [each for pinned, each in found.items() if not any(pinned < other for other in found)]


def lock(project: Path, **variables: str) -> None:
    """Lock the packages of a Python project's functions, by what `make install` runs for that."""
    link_uv(project, UV)
    printed = run(["make", "--dry-run", ".venv/installed"], project).replace("\\\n", " ")
    (command,) = re.findall("^.*uv pip compile.*$", printed, re.MULTILINE)
    run(shlex.split(command), project, **variables)


def build_with_sam(project: Path, **variables: str) -> list[Path]:
    """Run `make build`; return the folders of the functions."""
    path = f"{Path(tool('SLS_SAM')).parent}{os.pathsep}{os.environ['PATH']}"
    # The certificates are not of a registry.
    there = [f"--assume-old={each}" for each in (".venv/installed", "src/rds-ca.pem")]
    run(["make", "build", *there], project, **SAM_SETTINGS, PATH=path, **variables)
    return list((project / ".aws-sam/build").glob("*Function"))


def test_sam_builds_each_list_of_packages_for_lambda(projects: Projects, tmp_path: Path) -> None:
    if not shutil.which("python3.13"):
        pytest.skip("sam build needs python3.13 on PATH")
    for number, chosen in enumerate(with_distinct_packages(projects, "sam")):
        project = copied(chosen, tmp_path / str(number))
        lock(project)
        locked = (project / "src/requirements.lock").read_text()

        functions = build_with_sam(project)

        assert functions
        for function in functions:
            assert list(function.glob("pydantic_core/*aarch64-linux-gnu.so"))
            installed = [each.name for each in function.glob("*.dist-info")]
            assert sorted(installed) == sorted(names_of_metadata(locked))


def names_of_metadata(locked: str) -> Iterator[str]:
    """Return the names of the folders that packages have which are installed for Linux."""
    for name, version, marker in re.findall(r"^([a-z0-9-]+)==(\S+) (.*)\\$", locked, re.MULTILINE):
        if "win32" not in marker:
            yield f"{name.replace('-', '_')}-{version}.dist-info"


def test_cdk_builds_each_list_of_packages_for_lambda(projects: Projects, tmp_path: Path) -> None:
    for number, chosen in enumerate(with_distinct_packages(projects, "cdk")):
        project = copied(chosen, tmp_path / str(number))
        lock(project)
        built = tmp_path / f"built-{number}"
        synthesise_into(built, project, build=True)

        # A definition of a state machine is a file.
        (package,) = (asset for asset in built.glob("asset.*") if asset.is_dir())
        assert list(package.glob("*/handlers"))
        assert list(package.glob("pydantic_core/*aarch64-linux-gnu.so"))
        assert not list(package.rglob("__pycache__"))


def wheel(folder: Path, content: str) -> None:
    """Write a package that is compiled for Lambda's processor alone, or so it says."""
    folder.mkdir(exist_ok=True)
    of = "compiled-1.0.dist-info"
    tag = "cp313-cp313-manylinux2014_aarch64"
    files = {
        "compiled.py": content,
        f"{of}/METADATA": "Metadata-Version: 2.1\nName: compiled\nVersion: 1.0\n",
        f"{of}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n",
        f"{of}/RECORD": f"compiled.py,,\n{of}/METADATA,,\n{of}/WHEEL,,\n{of}/RECORD,,\n",
    }
    with zipfile.ZipFile(folder / f"compiled-1.0-{tag}.whl", "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)


@pytest.mark.parametrize("iac", ["sam", pytest.param("cdk", marks=pytest.mark.exhaustive)])
def test_a_package_for_lambda_that_differs_from_the_lock_is_not_built(
    iac: str, tmp_path: Path
) -> None:
    """The processor is not this machine's, so no test has ever loaded it."""
    if not shutil.which("python3.13"):
        pytest.skip("sam build needs python3.13 on PATH")
    variables = {"UV_FIND_LINKS": str(tmp_path / "index"), "UV_NO_INDEX": "1"}
    wheel(tmp_path / "index", "locked = True\n")
    project = render_project(tmp_path / "project", pattern="internal-api", iac=iac)
    python = environment(project) / "python"
    (project / "src/requirements.txt").write_text("compiled==1.0\n")
    lock(project, **variables, UV_CACHE_DIR=str(tmp_path / "cache"))

    def build(cache: str) -> list[Path]:
        uv = {**variables, "UV_CACHE_DIR": str(tmp_path / cache)}
        if iac == "sam":
            return build_with_sam(project, **uv)
        package = tmp_path / f"package-{cache}"
        run([python, "-c", BUNDLE, package], project, **uv)
        return [package]

    for function in build("cache"):
        assert (function / "compiled.py").read_text() == "locked = True\n"

    wheel(tmp_path / "index", "tampered_with = True\n")
    with pytest.raises(pytest.fail.Exception, match=r"[Hh]ash mismatch"):
        build("empty-cache")


BUNDLE = """
import sys
from infrastructure.bundling import _Bundling
_Bundling().try_bundle(sys.argv[1])
"""


@pytest.mark.parametrize("iac", ["sam", pytest.param("cdk", marks=pytest.mark.exhaustive)])
def test_bytecode_is_packaged_if_it_is_asked_for(iac: str, tmp_path: Path) -> None:
    """Two builds have equal bytes, and the next without it has none."""
    found, _ = interpreters.find("python3.13")
    if found.version[:2] != (3, 13) or not shutil.which("python3.13"):
        pytest.skip("this needs the Python of the functions")
    interpreter = found.executable
    offline = {"UV_FIND_LINKS": str(tmp_path / "index"), "UV_NO_INDEX": "1"}
    wheel(tmp_path / "index", "NAMES = {'b', 'a'} | frozenset({'d', 'c'})\n")
    project = render_project(tmp_path / "project", pattern="internal-api", iac=iac)
    python = environment(project, interpreter) / "python"
    (project / "src/requirements.txt").write_text("compiled==1.0\n")
    lock(project, **offline)
    (project / ".venv/bin/python").symlink_to(python)

    def build(name: str, **variables: str) -> dict[str, bytes]:
        if iac == "sam":
            (package,) = build_with_sam(project, **offline, **variables)
        else:
            package = tmp_path / name
            run([python, "-c", BUNDLE, package], project, **offline, **variables)
        return {
            f"/var/task/{file.relative_to(package)}": compiled.read_bytes()
            for file in package.rglob("*.py")
            for compiled in file.parent.glob(f"__pycache__/{file.stem}.*.pyc")
        }

    built = build("first", BYTECODE="1")

    assert "/var/task/compiled.py" in built
    for source, content in built.items():
        assert source.encode() in content
        assert content[4:8] == b"\1\0\0\0"  # its hash is unchecked
    assert build("second", BYTECODE="1") == built
    assert build("without") == {}


@pytest.mark.parametrize("iac", ["sam", pytest.param("cdk", marks=pytest.mark.exhaustive)])
def test_bytecode_of_another_python_than_lambdas_is_refused(iac: str, tmp_path: Path) -> None:
    other = "python3.12" if sys.version_info[:2] != (3, 12) else "python3.13"
    project = render_project(
        tmp_path / "project", pattern="internal-api", iac=iac, runtime_version=other
    )
    link_uv(project, Path("/bin/false"))
    python = environment(project) / "python"
    (project / ".venv/bin/python").symlink_to(python)
    commands: dict[str, list[str | Path]] = {
        "sam": ["make", "--silent", "build", "--assume-old", ".venv/installed"],
        "cdk": [python, "-c", "from infrastructure.bundling import function_code as f; f()"],
    }

    made = subprocess.run(
        commands[iac],
        cwd=project,
        env={**os.environ, "BYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    version = other.removeprefix("python")
    line = f"BYTECODE=1 needs Python {version} in .venv, as Lambda has"
    assert line in made.stderr.splitlines()  # jsii may say more, of Node.js
    assert "Traceback" not in made.stderr
    assert made.returncode != 0
    assert not (project / ".aws-sam").exists()


def test_make_builds_with_the_esbuild_that_the_project_has_installed(tmp_path: Path) -> None:
    variant = next(v for v in VARIANTS if (v.runtime, v.iac) == ("typescript", "sam"))
    project = render_project(tmp_path / "project", **variant.answers)
    link_modules(project)
    path = f"{Path(tool('SLS_SAM')).parent}{os.pathsep}{path_with_node(tmp_path)}"
    installed = ("--assume-old", "node_modules/.package-lock.json")

    run(["make", "build", *installed], project, SAM_CLI_TELEMETRY="0", PATH=path)

    assert built_files(project) == files_of_bundles(project)
    bundles = (project / ".aws-sam/build").glob("*Function/*.js")
    # `import { z }` would bring zod's messages in all languages, a third of a bundle.
    assert not any("zod/v4/locales/de" in bundle.read_text() for bundle in bundles)


def built_files(project: Path) -> set[str]:
    return {file.name for file in (project / ".aws-sam/build").glob("*Function/*")}


def files_of_bundles(project: Path) -> set[str]:
    return {file.stem + end for file in handlers_of(project) for end in (".js", ".js.map")}


def test_cdk_bundles_each_package_for_lambda(projects: Projects, tmp_path: Path) -> None:
    chosen = with_each_package(projects, "cdk")
    of_each = {each: (CHECKER, *looks.all_but_pages(each)) for each in chosen}
    with kept_of("bundles of CDK", of_each) as new:
        for number, project in enumerate(new):
            bundle_with_cdk(project, tmp_path / str(number))


@pytest.mark.parametrize("variant", bundled_by("cdk"))
def test_cdk_bundles_every_variant(variant: Variant, projects: Projects, tmp_path: Path) -> None:
    bundle_with_cdk(projects[variant], tmp_path / "built")


def bundle_with_cdk(project: Path, output: Path) -> None:
    synthesise_into(output, project, build=True)

    # A definition of a state machine is a file.
    packages = [asset for asset in output.glob("asset.*") if asset.is_dir()]
    assert len(packages) == len(handlers_of(project))
    for package in packages:
        assert {file.name for file in package.iterdir()} == {"index.js", "index.js.map"}
        assert '= require("@' not in (package / "index.js").read_text()  # nothing is left out


@pytest.mark.parametrize(
    ("runtime", "iac"),
    [
        pytest.param(*pair, marks=() if pair in INSTALLED else pytest.mark.exhaustive)
        for pair in sorted({(variant.runtime, variant.iac) for variant in VARIANTS})
    ],
)
def test_make_installs_lints_and_tests_as_the_readme_says(
    runtime: str, iac: str, tmp_path: Path
) -> None:
    variant = next(v for v in VARIANTS if (v.runtime, v.iac) == (runtime, iac))
    project = render_project(tmp_path / "project", **variant.answers)

    path = path_with_node(tmp_path)
    with kept("make install lint test", CHECKER, sys.version, str(node()), project) as is_new:
        if is_new:
            # What is started once need not be compiled whole.
            made = ["make", "install", "lint", "test"]
            assert " passed" in run(made, project, PATH=path, PIP_NO_COMPILE="1")
