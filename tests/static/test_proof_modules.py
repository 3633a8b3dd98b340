"""A project has those modules of templates/proofs/, and of their methods, that its proofs use."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rendering import ROOT, render_project
from variants import Variant, proven_variants

from sls_patterns_cli import catalog

SHARED = {
    runtime: {
        configuration,
        *(
            file.name.removesuffix(".jinja")
            for file in (ROOT / "templates/proofs" / runtime).iterdir()
        ),
    }
    for runtime, configuration in (
        ("python", "configuration.py"),
        ("typescript", "configuration.ts"),
    )
}
DEFINED = {
    "python": re.compile(r"^ *(?:def|class) ([A-Za-z]\w*)", re.MULTILINE),
    "typescript": re.compile(
        r"^(?:export (?:async )?(?:function|class)|  async) ([A-Za-z]\w*)", re.MULTILINE
    ),
}


def unused(runtime: str, folder: Path) -> Iterator[str]:
    """Yield what the shared modules of a project define and nothing else names."""
    texts = {file.name: file.read_text() for file in folder.iterdir() if file.is_file()}
    everything = "\n".join(texts.values())
    for name in sorted(SHARED[runtime] & texts.keys()):
        for defined in DEFINED[runtime].findall(texts[name]):
            if len(re.findall(rf"\b{defined}\b", everything)) == 1:
                yield f"{name}: {defined}"


@pytest.mark.parametrize(
    "variant", [each for each in proven_variants() if each.iac == "sam"], ids=str
)
def test_no_module_that_proofs_share_has_what_no_proof_uses(
    variant: Variant, tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    assert list(unused(variant.runtime, project / "tests/e2e")) == []


@pytest.mark.parametrize(
    ("runtime", "name", "text", "found"),
    [
        ("python", "waiting.py", "def wait_until() -> None: ...\n", "wait_until"),
        (
            "typescript",
            "log-group.ts",
            'export class LogGroup {\n  async mentions(text: string) {}\n}\n"LogGroup"\n',
            "mentions",
        ),
    ],
)
def test_what_no_proof_uses_is_found(
    runtime: str, name: str, text: str, found: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    assert list(unused(runtime, tmp_path)) == [f"{name}: {found}"]


@pytest.mark.parametrize("slug", catalog.slugs())
def test_no_node_is_named_like_a_module_that_proofs_share(slug: str) -> None:
    """The proofs' view of a datastore is a module named for the node."""
    nodes = {node.name for topology in catalog.pattern(slug).topologies for node in topology.nodes}
    shared = {name.partition(".")[0].replace("_", "-") for name in SHARED["python"]}
    assert nodes.isdisjoint(shared)
