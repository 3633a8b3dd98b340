"""Dashboards: each flavour has the same, every metric on it comes, and its picture is of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from contract.check import violations
from contract.stack import load
from golden import render_all
from parity.differences import unexplained
from parity.facts import facts
from rendering import render_project
from synthesis import SYNTHESISED_ONCE, template_file, template_files
from variants import Variant, all_variants, few_of, parameters

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.compiler.dashboard import BY_SOURCE
from sls_patterns_cli.dashboards import command

WITH_DASHBOARD = [
    replace(variant, further=(("dashboard", "true"),))
    for variant in all_variants()
    if variant.runtime == "python"
]
OF_SAM = [variant for variant in WITH_DASHBOARD if variant.iac == "sam"]
OF_CDK = [
    replace(variant, iac="cdk", runtime=runtime)
    for variant in OF_SAM
    for runtime in catalog.pattern(variant.pattern).runtimes
    if "cdk" in catalog.pattern(variant.pattern).flavours
]


def mechanisms(variant: Variant) -> set[tuple[str, ...]]:
    """Return what has rows of its own: sources that deliver, targets, datastores; and languages."""
    topology = catalog.pattern(variant.pattern).topology(variant.topology).on(variant.datastore)
    kinds = {node.name: node.kind for node in topology.nodes}
    ends = ((kinds[edge.source], kinds[edge.target]) for edge in topology.edges)
    return {
        *((source if source in BY_SOURCE else target,) for source, target in ends),
        (variant.datastore,),
        (variant.runtime,),
    }


Projects = Callable[[Variant], Path]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Projects:
    """Return what renders a variant, and synthesises that of CDK together with all others."""
    folder = tmp_path_factory.mktemp("dashboards")
    rendered: dict[Variant, Path] = {}

    def of(variant: Variant) -> Path:
        if variant not in rendered:
            rendered.update(render_all([variant], folder))
            template_files([rendered[variant]])
        return rendered[variant]

    return of


@pytest.mark.parametrize("variant", parameters(OF_SAM, few_of(OF_SAM, mechanisms)))
def test_a_project_with_a_dashboard_keeps_the_contract_and_shows_it(
    variant: Variant, project: Projects, tmp_path: Path
) -> None:
    made = project(variant)
    drawn = tmp_path / "drawn.svg"

    command.run(made / "template.yaml", drawn)

    assert list(map(str, violations(load(made)))) == []
    assert drawn.read_text() == (made / "dashboard.svg").read_text()
    assert "](dashboard.svg)" in (made / "README.md").read_text()


@SYNTHESISED_ONCE
@pytest.mark.parametrize("variant", parameters(OF_CDK, few_of(OF_CDK, mechanisms)))
def test_a_dashboard_of_cdk_is_that_of_sam(
    variant: Variant, project: Projects, tmp_path: Path
) -> None:
    made, sam = project(variant), project(replace(variant, iac="sam"))
    drawn = tmp_path / "drawn.svg"

    command.run(template_file(made).parent, drawn)

    both = {iac: facts(load(each), variant.pattern) for iac, each in (("sam", sam), ("cdk", made))}
    assert list(unexplained(both)) == []
    assert drawn.read_text() == (sam / "dashboard.svg").read_text()


@pytest.mark.parametrize(
    ("iac", "runtime"), [("sam", "python"), ("cdk", "python"), ("cdk", "typescript")]
)
def test_without_the_answer_nothing_of_a_dashboard_is_in_the_project(
    iac: str, runtime: str, tmp_path: Path
) -> None:
    made = render_project(tmp_path / "shop", pattern="notifier", iac=iac, runtime=runtime)

    files = {each.relative_to(made): each.read_text() for each in made.rglob("*") if each.is_file()}
    del files[Path(".copier-answers.yml")]  # it says that there is none
    assert [name for name, text in files.items() if "dashboard" in f"{name}{text}".lower()] == []
