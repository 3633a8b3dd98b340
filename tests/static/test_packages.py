"""The packages of the command line: each imports only those below it, without circles."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
NAME = "sls_patterns_cli"

LAYERS = (
    {"__main__"},
    {"cli"},
    {"openapi", "prove", "harness"},
    {"letters"},
    {"updating", "local", "check", "dashboards", "deploy_role", "doctor", "choosing"},
    {"rendering", "wiring"},
    {"cloudformation"},
    {"catalog"},
    {"asking"},
    {"terminal"},
    {"system"},
    {"alarms", "errors"},
)
"""From the top down; what is side by side does not know of each other."""

MODULES_BESIDE_PACKAGES = 8


def sources() -> dict[str, Path]:
    """Return each module's file by its dotted name."""
    files = sorted((SOURCE / NAME).rglob("*.py"))
    return {
        ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): file
        for file in files
    }


MODULES = sources()


def imported(file: Path) -> Iterator[str]:
    """Yield the modules that a file imports, also in functions and for types."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                inner = f"{node.module}.{each.name}"
                yield inner if inner in MODULES else node.module


def layer_of(module: str) -> int:
    part = module.removeprefix(f"{NAME}.").partition(".")[0]
    return next(number for number, names in enumerate(LAYERS) if part in names)


def test_every_module_is_in_a_layer_and_few_are_beside_the_packages() -> None:
    assert {layer_of(module) for module in MODULES if module != NAME} == set(range(len(LAYERS)))
    beside = list((SOURCE / NAME).glob("*.py"))
    assert len(beside) <= MODULES_BESIDE_PACKAGES


def test_a_module_imports_only_its_own_package_and_those_below() -> None:
    wrong = {
        (module, other)
        for module, file in MODULES.items()
        for other in imported(file)
        if other.startswith(f"{NAME}.")
        and module.split(".")[1:2] != other.split(".")[1:2]
        and layer_of(other) <= layer_of(module)
    }

    assert wrong == set()


def test_the_emulator_knows_nothing_of_patterns_and_projects() -> None:
    """It could be a package of its own; only how errors are told is shared."""
    emulator = f"{NAME}.local.emulator"
    others = {
        (module, other)
        for module, file in MODULES.items()
        if module.startswith(emulator)
        for other in imported(file)
        if other.startswith(f"{NAME}.") and not other.startswith(emulator)
    }

    assert {other for _, other in others} == {f"{NAME}.errors"}


def test_the_local_stack_knows_nothing_of_what_check_finds() -> None:
    imports = {
        other.split(".")[1]
        for module, file in MODULES.items()
        if module.startswith(f"{NAME}.local")
        for other in imported(file)
        if other.startswith(f"{NAME}.")
    }

    assert "cloudformation" in imports
    assert not {"wiring", "check"} & imports


def test_letters_know_nothing_of_patterns_and_of_the_local_stack() -> None:
    """They are those of anybody's stack, on AWS."""
    imports = {
        other.split(".")[1]
        for module, file in MODULES.items()
        if module.startswith(f"{NAME}.letters")
        for other in imported(file)
        if other.startswith(f"{NAME}.")
    }

    assert {"cloudformation", "wiring"} <= imports
    assert not {"catalog", "local"} & imports


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {
        module: {each for each in imported(file) if each in MODULES} - {module}
        for module, file in MODULES.items()
    }

    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_one_module_knows_the_inside_of_copier() -> None:
    inside = {
        module
        for module, file in MODULES.items()
        if any(each.startswith("copier._") for each in imported(file))
    }

    assert inside == {f"{NAME}.rendering.copier_parts"}
