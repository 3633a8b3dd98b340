"""Every variant renders to the bytes that were reviewed."""

import difflib
from pathlib import Path

import pytest
from golden import INDEX, archive, golden_file, index, rendered

from sls_patterns_cli import catalog

PATTERNS = sorted(pattern.slug for pattern in catalog.patterns())


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_variant_of_the_pattern_is_as_reviewed(pattern: str, tmp_path: Path) -> None:
    now = rendered(catalog.pattern(pattern), tmp_path)

    reviewed = golden_file(pattern).read_bytes().decode()
    if now != reviewed:
        diff = difflib.unified_diff(
            reviewed.splitlines(), now.splitlines(), "reviewed", "rendered", lineterm=""
        )
        pytest.fail("\n".join(["run `make golden` and read the diff", *diff]), pytrace=False)


def test_no_golden_file_is_of_a_pattern_that_is_gone() -> None:
    assert {file.stem for file in golden_file("any").parent.glob("*.txt")} == set(PATTERNS)


def test_the_index_names_every_pattern() -> None:
    assert INDEX.read_text() == index(), "run `make golden`"


def test_an_archive_names_the_variants_of_each_content(tmp_path: Path) -> None:
    for variant, region in {"a": "eu", "b": "us"}.items():
        (tmp_path / variant).mkdir()
        (tmp_path / variant / "same.txt").write_text("same\n")
        (tmp_path / variant / "region.txt").write_text(f"{region}\n")

    text = archive({variant: tmp_path / variant for variant in "ab"})

    assert text == (
        "──────── region.txt (a)\neu\n──────── region.txt (b)\nus\n──────── same.txt (all)\nsame\n"
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"no end", "does not end its last line"),
        (b"\nfirst\n", "begins or ends with an empty line"),
        (b"last\n\n", "begins or ends with an empty line"),
        (b"one\r\n", "carriage return"),
        (b"one \n", "spaces at the end"),
        (b'{\n"a": 1\n}\n', "not indented"),
        (b'{\n  "{": [\n  1]\n}\n', "not indented"),
    ],
)
def test_a_careless_file_is_refused(content: bytes, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_bytes(content)

    with pytest.raises(ValueError, match=complaint):
        archive({"a": tmp_path})
