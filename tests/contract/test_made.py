"""What was found good in a variant is looked at again when anything changes that decides it."""

import shutil
from pathlib import Path

import pytest
from contract import made
from contract.made import Made, declared, judges
from kept import digest
from rendering import render_project
from synthesis import template_file
from variants import Variant, authorized_variants_of

from sls_patterns_cli import catalog

SAM = Variant("state-machine", "standard", "python", "sam", "dynamodb")
CDK = Variant("notifier", "sns", "python", "cdk", "dynamodb")
COPIED = Variant("notifier", "sns", "python", "sam", "dynamodb")


def of(variant: Variant, folder: Path) -> Made:
    project = render_project(folder / "project", **variant.answers)
    return Made(variant, project, template_file(project))


@pytest.mark.parametrize(
    ("variant", "file"),
    [
        (SAM, "template.yaml"),
        (SAM, "statemachines/order.asl.json"),
        (COPIED, "stacks/*.yaml"),
    ],
)
def test_what_it_deploys_decides(variant: Variant, file: str, tmp_path: Path) -> None:
    one = of(variant, tmp_path)
    before = digest(*one.looked_at())
    changed = next(one.project.glob(file))
    changed.write_text(f"{changed.read_text()}\n")

    assert digest(*one.looked_at()) != before


@pytest.mark.parametrize("name", ["Stack.template.json", "manifest.json"])
def test_what_cdk_has_synthesised_decides(name: str, tmp_path: Path) -> None:
    one = of(CDK, tmp_path)
    copied = shutil.copytree(one.file.parent, tmp_path / "assembly")
    other = Made(CDK, one.project, copied / one.file.name)
    before = digest(*other.looked_at())
    assert before == digest(*one.looked_at())
    (copied / name).write_text(f"{(copied / name).read_text()}\n")

    assert digest(*other.looked_at()) != before


def test_the_code_of_functions_does_not(tmp_path: Path) -> None:
    one = of(SAM, tmp_path)
    before = digest(*one.looked_at())
    handler = next(one.project.glob("src/*/handlers/*.py"))
    handler.write_text(f"{handler.read_text()}\n")

    assert digest(*one.looked_at()) == before


def test_the_answers_decide(tmp_path: Path) -> None:
    one = of(SAM, tmp_path)
    other = next(iter(authorized_variants_of(catalog.pattern("robust-api"))))

    assert digest(*one.looked_at()) != digest(*Made(other, one.project, one.file).looked_at())


@pytest.mark.parametrize("name", ["RULES", "SOURCE"])
def test_what_judges_decides(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judges()  # is kept from here on, whichever test came before
    copied = shutil.copytree(getattr(made, name), tmp_path / "copied")
    monkeypatch.setattr(made, name, copied)
    before = judges.__wrapped__()
    rule = next(iter(copied.rglob("*.py")))
    rule.write_text(f"{rule.read_text()}\n")

    assert before == judges()
    assert judges.__wrapped__() != before


def test_the_graph_and_the_words_of_graphs_decide() -> None:
    files = {each.relative_to(made.TEMPLATES).as_posix() for each in declared("notifier")}

    assert {"graph.yml", "patterns/index.yml", "patterns/notifier/pattern.yml"} <= files
    assert {"proofs/harness.yml", "proofs/refusals/refusals.yml"} <= files
    assert "patterns/fifoer/pattern.yml" not in files
