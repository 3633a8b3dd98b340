"""Nothing personal is in logs: errors of validation do not contain what was validated."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATTERNS = ROOT / "templates/patterns"
# The header of a class that derives from Pydantic's own; others inherit its configuration.
HEADER = re.compile(r"^class \w+\((BaseModel\b.*)\):$", re.MULTILINE)


@pytest.mark.parametrize(
    "file",
    sorted(PATTERNS.glob("**/models.py.jinja")),
    ids=lambda file: "-".join(file.relative_to(PATTERNS).parts[:-2]),
)
def test_errors_of_a_model_do_not_contain_its_input(file: Path) -> None:
    headers = HEADER.findall(file.read_text())

    assert headers != []
    assert [each for each in headers if "hide_input_in_errors=True" not in each] == []
