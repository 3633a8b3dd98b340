"""`make grant` and `make revoke` send the requests that the gatekeeper's function understands."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendering import render_project


@pytest.fixture(scope="module", params=["sam", "cdk"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("granting") / "project"
    return render_project(folder, pattern="gatekeeper", iac=request.param)


def sent(project: Path, *arguments: str) -> Any:
    """Return the request that `make` would send to the function that administers."""
    printed = subprocess.run(
        ["make", "--dry-run", *arguments], cwd=project, check=True, capture_output=True, text=True
    ).stdout
    assert "OutputKey=='AdministerFunctionName'" in printed
    (payload,) = re.findall(r"echo '(.*)' \| aws lambda invoke", printed)
    return json.loads(payload)


def test_a_token_is_asked_for_with_all_that_is_said_of_it(project: Path) -> None:
    asked = sent(project, "grant", "PRINCIPAL=acme", "SCOPES=rates:read labels:write", "DAYS=30")

    assert asked == {
        "operation": "grant",
        "principal": "acme",
        "scopes": "rates:read labels:write",
        "days": 30,
    }


def test_a_token_is_granted_for_90_days_unless_told_otherwise(project: Path) -> None:
    assert sent(project, "grant", "PRINCIPAL=acme", "SCOPES=rates:read")["days"] == 90


def test_a_token_is_revoked_by_its_id(project: Path) -> None:
    assert sent(project, "revoke", "ID=id1") == {"operation": "revoke", "id": "id1"}
