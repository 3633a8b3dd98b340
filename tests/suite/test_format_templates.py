"""One command formats the templates that it can, and names those that it cannot."""

from pathlib import Path

import pytest
from format_templates import main

PLAIN = "from {{ package }}.models import Order\n\nprices = { 'a' : 1 }\n"
TAGGED = "{% if datastore == 'none' %}\nprices = { 'a' : 1 }\n{% endif %}\n"


def test_code_is_formatted_and_what_has_tags_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "patterns/router/python"
    folder.mkdir(parents=True)
    plain, tagged, part = (folder / f"{name}.py.jinja" for name in ("plain", "tagged", "part"))
    plain.write_text(PLAIN)
    tagged.write_text(TAGGED)
    part.write_text("    def part(self) -> None: ...\n")

    main(tmp_path)

    assert plain.read_text().endswith('\nprices = {"a": 1}\n')
    assert plain.read_text().startswith("from {{ package }}.models import Order\n")
    assert tagged.read_text() == TAGGED
    printed = capsys.readouterr().out
    assert "formatted patterns/router/python/plain.py.jinja" in printed
    assert "By hand, since they have other tags of Jinja, or are parts of files: 2" in printed
    assert "  patterns/router/python/tagged.py.jinja" in printed
