"""Services do what their OpenAPI documents say: Schemathesis calls them on the local stack."""

from pathlib import Path

import pytest
from openapi.described import api_variants, described, rendered
from openapi.serving import differences, served
from variants import Variant, parameters

FEW = ("--phases", "coverage", "--max-examples", "2")
ALL = ("--phases", "coverage,fuzzing,stateful", "--max-examples", "5")

SERVED = [each for each in api_variants() if each.is_local and each.iac == "sam"]
IN_PYTHON = next(each for each in SERVED if each.runtime == "python")
IN_TYPESCRIPT = next(each for each in SERVED if each.runtime == "typescript")


@pytest.mark.parametrize("variant", parameters(SERVED, [IN_TYPESCRIPT]))
def test_a_service_does_what_its_document_says(variant: Variant, tmp_path: Path) -> None:
    project = rendered(variant, tmp_path / "project")
    document = described(project)

    with served(project) as service:
        found = differences(service, document, *(FEW if variant == IN_TYPESCRIPT else ALL))

    assert not found, found


def test_a_document_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    project = rendered(IN_PYTHON, tmp_path / "project")
    wrong = described(project)
    paths, schemas = wrong["paths"], wrong["components"]["schemas"]
    del paths["/products"]["get"]["responses"]["400"]
    schemas["Page"]["properties"]["products"] = {"type": "object"}
    schemas["ProductDetails"]["required"].append("colour")
    schemas["ProductDetails"]["properties"]["colour"] = {"type": "string"}

    with served(project) as service:
        found = differences(service, wrong, *FEW)

    for failure in (
        "Undocumented status code: 1",
        "Response violates schema: 1",
        "Schema-valid request rejected: 1",
    ):
        assert failure in found, found
