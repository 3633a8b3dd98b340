"""Services do what their OpenAPI documents say: Schemathesis calls them on the local stack."""

import json
from pathlib import Path

import pytest
import urllib3
from openapi.described import api_variants, described, rendered
from openapi.serving import Served, differences, served
from tools import run
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
        if variant.topology == "gradual":
            without_legacy(service)
        found = differences(service, document, *(FEW if variant == IN_TYPESCRIPT else ALL))

    assert not found, found


def without_legacy(service: Served) -> None:
    """Move the path for all callers; the legacy system, which gets the rest, knows nothing."""
    run(["make", "--silent", "shift", "SHARE=100"], service.project, **service.variables)
    control, said = service.variables["LegacyControlUrl"], json.dumps({"message": "not found"})
    urllib3.request("PUT", f"{control}/answer", json={"status": 404, "body": said})


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
