"""U10: no event that the service takes fails the load of its batch."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError
from rendering import render_project
from variants import Variant

ANSWERS = Variant("streamer", "kinesis", "python", "sam", "redshift-serverless").answers
EVENT = {
    "id": "a" * 64,
    "type": "page-view",
    "page": "/",
    "occurred_at": "2026-01-31T12:00:00Z",
}
# It has four bytes in UTF-8, as many as any character.
LONGEST = "\N{GRINNING FACE}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_project(tmp_path_factory.mktemp("columns") / "project", **ANSWERS)


@pytest.fixture(scope="module")
def models(project: Path) -> ModuleType:
    (file,) = project.glob("src/*/models.py")
    spec = importlib.util.spec_from_file_location("models", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bytes_of(project: Path) -> dict[str, int]:
    """Return how many bytes each column for texts holds."""
    found = "".join(file.read_text() for file in (project / "migrations").glob("*.sql"))
    return {
        name: int(size)
        for name, size in re.findall(r"^ +(\w+) VARCHAR\((\d+)\)", found, re.MULTILINE)
    }


def test_what_the_models_take_fits_into_its_column(
    models: ModuleType, bytes_of: dict[str, int]
) -> None:
    longest = models.Event(**{**EVENT, "page": LONGEST * 2048})

    assert bytes_of.keys() == {"id", "type", "page"}
    for name, size in bytes_of.items():
        assert len(getattr(longest, name).encode()) <= size, name
    with pytest.raises(ValidationError):
        models.Event(**{**EVENT, "page": LONGEST * 2049})


@pytest.mark.parametrize("page", ["\0", "/a\0b", "/a\0"])
def test_no_event_has_a_nul(models: ModuleType, page: str) -> None:
    event: dict[str, Any] = {**EVENT, "page": page}

    with pytest.raises(ValidationError):
        models.Event(**event)


def test_each_key_of_a_line_has_a_column(models: ModuleType, project: Path) -> None:
    sql = "".join(file.read_text() for file in (project / "migrations").glob("*.sql"))

    columns = set(re.findall(r"^ +(\w+) [A-Z]+", sql, re.MULTILINE))

    assert columns == models.ArchivedEvent.model_fields.keys()
