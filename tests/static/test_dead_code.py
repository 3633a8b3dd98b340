"""What shared templates offer is rendered only where a project uses it."""

import re
from collections.abc import Collection

import pytest
from rendering import kept_from, template
from variants import Variant, all_variants

OF_SAM = [each for each in all_variants() if each.iac == "sam"]
OF_EACH_PATTERN = {each.pattern: each for each in OF_SAM if each.runtime == "python"}.values()
OF_EACH_TOPOLOGY = {
    (each.pattern, each.topology): each for each in OF_SAM if each.runtime == "typescript"
}.values()
IMPORTED = re.compile(
    r"sdk import .*temporary_failures_as|temporaryFailuresAs } from \"\.+/sdk\.ts"
)

REFUSING = re.compile(r"permanent_failures_as\(RejectedError|permanentFailuresAs\(RejectedError")


@pytest.mark.parametrize(
    "variants", [OF_EACH_PATTERN, pytest.param(OF_SAM, marks=pytest.mark.exhaustive)]
)
def test_only_a_project_that_tells_temporary_failures_has_code_for_it(
    variants: Collection[Variant],
) -> None:
    wrong = []
    for variant in variants:
        project = kept_from(template(), **variant.answers)
        modules = {file: file.read_text() for file in project.glob("src/**/*.[pt][ys]")}
        offered = any("emporary" in text for file, text in modules.items() if file.stem == "sdk")
        if offered != any(map(IMPORTED.search, modules.values())):
            wrong.append(variant)

    assert wrong == []


def test_only_a_consumer_that_writes_to_a_database_has_code_for_refusals() -> None:
    wrong = []
    for variant in OF_SAM:
        project = kept_from(template(), **variant.answers)
        modules = {file: file.read_text() for file in project.glob("src/**/*.[pt][ys]")}
        offered = {
            file.stem
            for file, text in modules.items()
            if (file.stem == "batches" and "class RejectedError" in text)
            or (file.stem == "database" and "ermanent" in text)
        }
        used = any(map(REFUSING.search, modules.values()))
        if offered != ({"batches", "database"} if used else set()):
            wrong.append(variant)

    assert wrong == []


def test_only_a_project_that_reads_json_texts_has_code_for_it() -> None:
    wrong = []
    for variant in OF_EACH_TOPOLOGY:
        project = kept_from(template(), **variant.answers)
        offered = (project / "src/json.ts").exists()
        used = any("/json.ts" in file.read_text() for file in project.glob("src/**/*.ts"))
        if offered != used:
            wrong.append(variant)

    assert wrong == []
