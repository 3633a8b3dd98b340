"""Every variant renders to the bytes that were reviewed."""

import difflib
import re
from pathlib import Path

import pytest
from generated import INDEX, index
from golden import RULE, archive, difference, golden_file, patched, rendered
from hypothesis import given
from hypothesis import strategies as st

from sls_patterns_cli import catalog

# Lines of which many are the same, one of them empty and one that looks like a difference's own.
LINES = st.lists(st.sampled_from(["", "one", "two", "@@", "+ three", "}"]), max_size=30)
PATTERNS = sorted(pattern.slug for pattern in catalog.patterns())


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_variant_of_the_pattern_is_as_reviewed(pattern: str, tmp_path: Path) -> None:
    now = rendered(catalog.pattern(pattern), tmp_path)

    variants = [folder.name for folder in (tmp_path / pattern).iterdir()]
    assert unpacked(now, variants) == {
        variant: files(tmp_path / pattern / variant) for variant in variants
    }
    reviewed = golden_file(pattern).read_bytes().decode()
    if now != reviewed:
        diff = difflib.unified_diff(
            reviewed.splitlines(), now.splitlines(), "reviewed", "rendered", lineterm=""
        )
        pytest.fail("\n".join(["run `make golden` and read the diff", *diff]), pytrace=False)


def unpacked(text: str, variants: list[str]) -> dict[str, dict[str, str]]:
    """Return the files of each variant, with nothing but the archive to tell them."""
    projects: dict[str, dict[str, str]] = {variant: {} for variant in variants}
    for entry in re.split(f"^{RULE} ", text, flags=re.MULTILINE)[1:]:
        header, _, told = entry.partition("\n")
        named = re.fullmatch(r"(.+) \((.+)\)(?: differs from (.+))?", header)
        assert named
        path, names, base = named.groups()
        content = patched(projects[base][path], told) if base else told
        for variant in variants if names == "all" else names.split(", "):
            projects[variant][path] = content
    return projects


def files(project: Path) -> dict[str, str]:
    return {
        file.relative_to(project).as_posix(): file.read_bytes().decode()
        for file in project.rglob("*")
        if file.is_file()
    }


def test_no_golden_file_is_of_a_pattern_that_is_gone() -> None:
    assert {file.stem for file in golden_file("any").parent.glob("*.txt")} == set(PATTERNS)


def test_the_index_names_every_pattern() -> None:
    assert INDEX.read_text() == index(), "run `make golden`"


def test_a_folder_with_a_pattern_is_in_the_index_at_its_place(tmp_path: Path) -> None:
    for slug, order in {"a": "", "b": "order: 20\n", "c": "order: 3\n", "d": "order: 20\n"}.items():
        (tmp_path / slug).mkdir()
        (tmp_path / slug / "pattern.yml").write_text(
            f"title: The {slug}\nsummary: Does {slug}.\n{order}"
        )
    (tmp_path / "no-pattern").mkdir()

    said = "The {0}\\n      Does {0}."
    assert index(tmp_path) == "".join(f'"{said.format(slug)}": {slug}\n' for slug in "cbda")


def test_an_archive_names_the_variants_of_each_content(tmp_path: Path) -> None:
    for variant, region in {"b": "eu", "a": "us", "c": "us"}.items():
        (tmp_path / variant).mkdir()
        (tmp_path / variant / "same.txt").write_text("same\n")
        (tmp_path / variant / "region.txt").write_text(f"one\ntwo\nthree\nfour\nin {region}\n")

    text = archive({variant: tmp_path / variant for variant in "bac"})

    assert text == (
        f"{RULE} region.txt (b)\none\ntwo\nthree\nfour\nin eu\n"
        f"{RULE} region.txt (a, c) differs from b\n@@\n four\n-in eu\n+in us\n"
        f"{RULE} same.txt (all)\nsame\n"
    )


@given(base=LINES, content=LINES)
def test_a_difference_tells_all_of_a_content(base: list[str], content: list[str]) -> None:
    before, after = ("".join(f"{line}\n" for line in lines) for lines in (base, content))

    assert patched(before, difference(before, after)) == after


def test_a_line_added_above_leaves_a_difference_as_it_is() -> None:
    base, content = "one\ntwo\nthree\n", "one\ntwo\n3\n"

    assert difference(f"zero\n{base}", f"zero\n{content}") == difference(base, content)


def test_a_difference_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for\n-two"):
        patched("one\n", "@@\n-two\n")


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
