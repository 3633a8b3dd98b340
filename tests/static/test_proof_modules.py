"""All projects have one harness, and those modules of templates/proofs/ that their proofs use.

Each topology declares them under `harness`. These tests read the rendered proofs; templates do not.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from rendering import ROOT, render_project
from variants import (
    Variant,
    few_of,
    further_variants,
    parameters,
    proven_variants,
    topology_of,
)

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.kinds import Uses

MODULES = catalog.vocabulary().harness
ENDINGS = {"python": ".py", "typescript": ".ts"}
IMPORTED = {
    "python": re.compile(r"^from e2e\.(\w+) import", re.MULTILINE),
    "typescript": re.compile(r'from "\./([a-z-]+)\.ts"'),
}
DEFINED = {
    "python": re.compile(r"^ *(?:def|class) ([A-Za-z]\w*)", re.MULTILINE),
    "typescript": re.compile(
        r"^(?:export (?:async )?(?:function|class)|  async) ([A-Za-z]\w*)", re.MULTILINE
    ),
}
EVERY_PROJECTS = {"conftest.py", "stack.py", "stack.ts"}
HARNESS_LINES = 350
"""What the harness of a language may have: it is in each project, and not the service's own."""

IN_SAM = [each for each in proven_variants() if each.iac == "sam"]
# A project with `poison=retried` has proofs of an earlier release, which use less of the modules.
FURTHER = [
    each
    for each in further_variants()
    if each.is_local and ("poison", "retried") not in each.further
]
# Most answers change no proof: few of a pattern show each.
FEW_FURTHER = few_of(FURTHER, lambda each: {(each.pattern, *dict(each.further))})

one_of_each_flavour = pytest.mark.parametrize(
    "variant", parameters([*IN_SAM, *FURTHER], {*IN_SAM, *FEW_FURTHER})
)


def named(runtime: str, name: str) -> str:
    """Return a name of the vocabulary as code of the runtime has it."""
    first, *rest = name.split("-")
    if runtime == "python":
        return "_".join((first, *rest))
    return "".join((first, *(word.capitalize() for word in rest)))


SHARED = {
    runtime: {
        f"{module.replace('-', '_') if runtime == 'python' else module}{ending}": module
        for module in MODULES
    }
    for runtime, ending in ENDINGS.items()
}


def e2e(project: Path) -> dict[str, str]:
    """Return the texts of the modules of a project's proofs, by the names of their files."""
    return {each.name: each.read_text() for each in (project / "tests/e2e").glob("*.*")}


def called(runtime: str, texts: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the modules that proofs import, with the parts that they call."""
    own = "\n".join(
        text
        for name, text in texts.items()
        if name not in SHARED[runtime] and name not in EVERY_PROJECTS
    )
    imported = {f"{stem}{ENDINGS[runtime]}" for stem in IMPORTED[runtime].findall(own)}
    modules = {SHARED[runtime][name] for name in SHARED[runtime].keys() & imported}
    return {
        module: {
            part
            for part in MODULES[module].parts
            if re.search(
                rf"\.{named(runtime, part)}\b|(?<!def )(?<!async )\b{named(runtime, part)}\("
                rf"|import [^\n]*\b{named(runtime, part)}\b",
                own,
            )
        }
        for module in modules
    }


def objections(declared: Uses, called: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield a line for each module or part that is to be declared, or no longer."""
    for module in MODULES:
        has, uses = declared.get(module), called.get(module)
        lacking, unused = {*(uses or ())} - {*(has or ())}, {*(has or ())} - {*(uses or ())}
        if lacking or (uses is not None and has is None):
            yield f"add to harness what proofs use: {entry(module, lacking)}"
        if unused or (has is not None and uses is None):
            yield f"remove from harness what no proof uses: {entry(module, unused)}"


def entry(module: str, parts: set[str]) -> str:
    """Return what stands in `pattern.yml`."""
    return f"{module}: [{', '.join(sorted(parts))}]"


def declared(variant: Variant) -> Uses:
    """Return what the topology says that proofs use."""
    return topology_of(variant).on(variant.datastore).harness


@one_of_each_flavour
def test_a_topology_declares_what_its_proofs_use(variant: Variant, tmp_path: Path) -> None:
    texts = e2e(render_project(tmp_path / "project", **variant.answers))
    if wrong := list(objections(declared(variant), called(variant.runtime, texts))):
        place = f"{variant.pattern}/pattern.yml, topology {variant.topology}:"
        pytest.fail("\n".join([place, *wrong]), pytrace=False)


HANDOFF = Variant("eventually-consistent", "streams", "python", "sam", "aurora-postgresql")
CHARGES = Variant("frugal-consumer", "third-party", "python", "sam", "dynamodb")
CHARGES_IN_TYPESCRIPT = replace(CHARGES, runtime="typescript")
CALLED = declared(CHARGES)["stand-in"]


@pytest.mark.parametrize("variant", [CHARGES, CHARGES_IN_TYPESCRIPT], ids=str)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"stand-in": tuple(set(CALLED) - {"hang"})},
            "add to harness what proofs use: stand-in: [hang]",
        ),
        (
            {"stand-in": (*CALLED, "keep-bodies")},
            "remove from harness what no proof uses: stand-in: [keep-bodies]",
        ),
        ({"deployments": ()}, "remove from harness what no proof uses: deployments: []"),
    ],
)
def test_what_a_topology_declares_wrongly_is_found(
    variant: Variant, change: Uses, said: str, tmp_path: Path
) -> None:
    texts = e2e(render_project(tmp_path / "project", **variant.answers))
    wrong = {**declared(variant), **change}
    assert list(objections(wrong, called(variant.runtime, texts))) == [said]


def test_a_module_that_is_not_declared_is_found(tmp_path: Path) -> None:
    texts = e2e(render_project(tmp_path / "project", **HANDOFF.answers))
    wrong = {
        module: parts for module, parts in declared(HANDOFF).items() if module != "hostile-bodies"
    }
    assert list(objections(wrong, called("python", texts))) == [
        "add to harness what proofs use: hostile-bodies: []"
    ]


@one_of_each_flavour
def test_a_project_has_each_module_that_its_proofs_import(variant: Variant, tmp_path: Path) -> None:
    texts = e2e(render_project(tmp_path / "project", **variant.answers))
    imported = IMPORTED[variant.runtime].findall("\n".join(texts.values()))
    assert {f"{stem}{ENDINGS[variant.runtime]}" for stem in imported} <= texts.keys()


@pytest.mark.parametrize("runtime", ENDINGS)
def test_the_vocabulary_names_the_modules_that_are_there(runtime: str) -> None:
    folder = ROOT / "templates/proofs" / runtime
    there = {file.name.removesuffix(".jinja") for file in folder.iterdir()}
    assert there == SHARED[runtime].keys()


def test_what_modules_and_parts_need_is_in_the_vocabulary() -> None:
    for module in MODULES.values():
        for needs in module.parts.values():
            for name, parts in needs.items():
                assert {*parts} <= MODULES[name].parts.keys()


def unused(runtime: str, texts: Mapping[str, str]) -> Iterator[str]:
    """Yield what the shared modules of a project define and nothing else names."""
    everything = "\n".join(texts.values())
    for name in sorted(SHARED[runtime].keys() & texts.keys()):
        for defined in {*DEFINED[runtime].findall(texts[name])} - {"setup"}:  # Vitest calls it
            if len(re.findall(rf"\b{defined}\b", everything)) == 1:
                yield f"{name}: {defined}"


@one_of_each_flavour
def test_no_module_that_proofs_share_has_what_no_proof_uses(
    variant: Variant, tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    assert list(unused(variant.runtime, e2e(project))) == []


@pytest.mark.parametrize(
    ("runtime", "name", "text", "found"),
    [
        (
            "python",
            "stand_in.py",
            'class StandIn:\n    def hang(self) -> None: ...\n\n\n"StandIn"\n',
            "hang",
        ),
        (
            "typescript",
            "stand-in.ts",
            'export class StandIn {\n  async hang(at: string) {}\n}\n"StandIn"\n',
            "hang",
        ),
    ],
)
def test_what_no_proof_uses_is_found(runtime: str, name: str, text: str, found: str) -> None:
    assert list(unused(runtime, {name: text})) == [f"{name}: {found}"]


@pytest.mark.parametrize("slug", catalog.slugs())
def test_no_node_is_named_like_a_module_that_proofs_share(slug: str) -> None:
    """The proofs' view of a datastore is a module named for the node."""
    nodes = {node.name for topology in catalog.pattern(slug).topologies for node in topology.nodes}
    assert nodes.isdisjoint({*MODULES, "harness", "stack", "service"})


def harness_of(project: Path) -> dict[str, str]:
    """Return the texts of the harness that all projects have."""
    folder = project / "tests/e2e/harness"
    return {each.name: each.read_text() for each in folder.iterdir() if each.is_file()}


@pytest.mark.parametrize("runtime", ENDINGS)
def test_all_projects_have_the_same_harness_and_a_proof_uses_each_part(
    runtime: str, tmp_path: Path
) -> None:
    of_runtime = [each for each in [*IN_SAM, *FEW_FURTHER] if each.runtime == runtime]
    harness: dict[str, str] = {}
    used = ""
    for number, variant in enumerate(of_runtime):
        project = render_project(tmp_path / str(number), **variant.answers)
        harness = harness or harness_of(project)
        assert harness_of(project) == harness, variant
        used += "\n".join(e2e(project).values())
    assert sum(len(text.splitlines()) for text in harness.values()) <= HARNESS_LINES
    used += "\n".join(harness.values())
    defined = {name for text in harness.values() for name in DEFINED[runtime].findall(text)}
    rest = {name for name in defined if len(re.findall(rf"\b{name}\b", used)) == 1}
    # pytest calls these by their names.
    assert {name for name in rest if not name.startswith("pytest_")} == set()
