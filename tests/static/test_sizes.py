"""How much a user owns: the lines of what `new PATTERN --defaults` writes.

Lock files are not counted, and the harness of proofs, which is the same everywhere, by itself.
"""

from statistics import median

import pytest
from rendering import kept_from, template
from variants import PATTERNS, Variant

from sls_patterns_cli import catalog

LOCK_FILES = {"uv.lock", "package-lock.json"}


def lines(pattern: str, runtime: str = "python", iac: str = "sam", *, of_harness: bool) -> int:
    topology = catalog.pattern(pattern).topologies[0]
    variant = Variant(pattern, topology.name, runtime, iac, topology.datastores[0])
    project = kept_from(template(), **variant.answers)
    files = [
        each
        for each in project.rglob("*")
        if each.is_file()
        and each.name not in LOCK_FILES
        and ("harness" in each.parts) == of_harness
    ]
    assert files
    return sum(len(each.read_bytes().splitlines()) for each in files)


def test_a_default_project_has_at_most_3700_lines_and_half_of_them_at_most_2450() -> None:
    patterns = [each.parent.name for each in PATTERNS.glob("*/pattern.yml")]
    found = {each: lines(each, of_harness=False) for each in patterns}

    assert median(found.values()) <= 2_450, found
    assert max(found.values()) <= 3_700, found


@pytest.mark.parametrize(
    ("runtime", "iac", "most"), [("python", "sam", 2_500), ("typescript", "cdk", 3_000)]
)
def test_the_webhook_has_few_lines(runtime: str, iac: str, most: int) -> None:
    assert lines("scalable-webhook", runtime, iac, of_harness=False) <= most


@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_the_harness_of_proofs_has_at_most_350_lines(runtime: str) -> None:
    assert lines("scalable-webhook", runtime, of_harness=True) <= 350
