"""Every variant renders to the bytes that were reviewed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import writing
from generated import INDEX, index
from golden import (
    CONTENTS,
    FOLD,
    GOLDEN,
    LOGICAL_IDS,
    LONGEST,
    REWORDED,
    VARIANTS,
    Projects,
    digest,
    folded,
    golden_files,
    golden_folder,
    golden_variants,
    read,
    rendered,
    reviewed,
)
from golden_diff import complaints
from hypothesis import given
from hypothesis import strategies as st

from sls_patterns_cli import catalog

PATTERNS = sorted(pattern.slug for pattern in catalog.patterns())
MOST_LINES, MOST_BYTES = 42_000, 2_200_000


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_variant_of_the_pattern_is_as_reviewed(pattern: str) -> None:
    projects = rendered(catalog.pattern(pattern))

    if wrong := complaints(pattern, projects, reviewed(pattern)):
        pytest.fail("\n".join(wrong), pytrace=False)


def test_no_golden_file_is_of_a_pattern_that_is_gone() -> None:
    assert set(GOLDEN.iterdir()) == {*map(golden_folder, PATTERNS), REWORDED}


def test_golden_files_are_few_enough_to_be_read() -> None:
    files = [file for file in GOLDEN.rglob("*") if file.is_file()]
    texts = {file: file.read_bytes() for file in files}
    lines = {file: text.decode().splitlines() for file, text in texts.items()}

    assert sum(map(len, lines.values())) <= MOST_LINES
    assert sum(map(len, texts.values())) <= MOST_BYTES
    too_long = [
        file.relative_to(GOLDEN).as_posix()
        for file, of in lines.items()
        if file.name != "README.md" and any(len(line) > LONGEST for line in of)
    ]
    assert too_long == []


def test_each_variant_and_each_content_has_its_line() -> None:
    pattern = catalog.pattern("scalable-webhook")
    projects = rendered(pattern)
    made = golden_files(projects)

    variants = [line.split()[0] for line in made[VARIANTS].splitlines()]
    assert variants == [each.options for each in golden_variants(pattern)]
    distinct = {(path, digest(text)) for each in projects.values() for path, text in each.items()}
    assert len(made[CONTENTS].splitlines()) == len(distinct)


# What a changed byte looks like.

BEFORE: Projects = {
    "a": {"Makefile": "all:\n\ttrue\n", "src/a.py": "A = 1\n", "same.txt": "same\n"},
    "b": {"Makefile": "all:\n\ttrue\n", "src/a.py": "A = 2\n", "same.txt": "same\n"},
    "b-auth-none": {"Makefile": "all:\n", "src/a.py": "A = 1\n", "same.txt": "same\n"},
}


def changed(variant: str, path: str, text: str | None) -> Projects:
    files = {**BEFORE[variant], path: text}
    kept = {path: text for path, text in files.items() if text is not None}
    return {**BEFORE, variant: kept}


def told(now: Projects) -> list[str]:
    return complaints("pattern", now, golden_files(BEFORE), base=BEFORE)


@pytest.mark.parametrize("variant", BEFORE)
@pytest.mark.parametrize("path", ["Makefile", "src/a.py", "same.txt"])
def test_one_changed_byte_in_any_one_variant_is_told(variant: str, path: str) -> None:
    text = BEFORE[variant][path]
    found = told(changed(variant, path, f"{text[:-2]}#\n"))

    assert found[0] == "run `make golden` and read the diff, or see it with `make golden-diff`"
    assert f"{path} has other contents in {variant}" in found
    assert f"-{text.splitlines()[-1]}" in found
    assert f"+{text.splitlines()[-1][:-1]}#" in found


@pytest.mark.parametrize("pattern", ["internal-api", "simple-web-service"])
def test_one_changed_byte_in_each_real_variant_is_told(pattern: str) -> None:
    """Also in those that have further answers only."""
    projects, of = rendered(catalog.pattern(pattern)), reviewed(pattern)

    for variant, files in projects.items():
        for path in ("README.md", ".gitignore", "Makefile"):
            broken = {**files, path: files[path].replace("e", "E", 1)}
            made = golden_files({**projects, variant: broken})
            assert made[VARIANTS] != of[VARIANTS], (variant, path)


def test_a_content_that_another_variant_has_is_told() -> None:
    found = told(changed("a", "src/a.py", "A = 2\n"))

    assert "src/a.py has other contents in a" in found
    assert "+A = 2" in found


def test_files_and_variants_that_come_and_go_are_told() -> None:
    assert "same.txt is gone from b" in told(changed("b", "same.txt", None))
    assert "new.txt is new in b" in told(changed("b", "new.txt", "new\n"))
    assert "c is a new variant" in told({**BEFORE, "c": BEFORE["a"]})
    assert "b is gone" in told({name: BEFORE[name] for name in ("a", "b-auth-none")})


def test_what_differs_from_whole_text_is_told_without_another_commit() -> None:
    found = complaints(
        "pattern", changed("a", "Makefile", "all:\n\tfalse\n"), golden_files(BEFORE), base={}
    )

    assert "-\ttrue" in found
    assert "+\tfalse" in found
    assert "a has other files than were reviewed" in found


def test_nothing_is_told_of_projects_that_are_the_same() -> None:
    assert told(BEFORE) == []


def test_the_first_variant_that_has_a_file_is_whole() -> None:
    made = golden_files({"a": {}, "b": {"infrastructure/stack.py": "B = 1\n"}, "c": {}})

    assert made["stack.py"] == "B = 1\n"


TEXTS = st.lists(st.sampled_from(["a", " ", "\n", "x" * 100]), max_size=30).map("".join)


@given(text=TEXTS)
def test_a_folded_line_is_no_longer_than_the_longest_and_loses_nothing(text: str) -> None:
    lines = folded(text).splitlines()

    assert all(len(line) <= LONGEST for line in lines)
    assert "\n".join(lines).replace(f"\n{FOLD}", "") == "\n".join(text.splitlines())


def git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    return subprocess.run(
        ["git", *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def test_branches_that_change_two_patterns_merge_without_a_conflict(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "golden")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Before")
    for pattern in ("router", "notifier"):
        git(tmp_path, "switch", "--quiet", "--create", pattern, "main")
        projects = rendered(catalog.pattern(pattern))
        now = {
            variant: {path: f"{text}# {pattern}\n" for path, text in files.items()}
            for variant, files in projects.items()
        }
        for name, text in golden_files(now).items():
            (tmp_path / "golden" / pattern / name).write_text(text)
        git(tmp_path, "commit", "--quiet", "--all", "--message", pattern)

    git(tmp_path, "merge", "--quiet", "--message", "Both", "router")

    assert git(tmp_path, "status", "--porcelain") == ""
    assert git(tmp_path, "diff", "--stat", "HEAD^1", "--", "golden/router") != ""
    assert git(tmp_path, "diff", "HEAD^1", "--", "golden/notifier") == ""


WRITES = """
import os, sys
from pathlib import Path
import writing
def stop(self, *_): os._exit(9)
setattr(Path, sys.argv[2], stop)
writing.write(Path(sys.argv[1]), "new\\n")
"""


@pytest.mark.parametrize("during", ["write_bytes", "replace"])
def test_an_interrupt_leaves_the_old_file_whole(during: str, tmp_path: Path) -> None:
    file = tmp_path / "contents.txt"
    file.write_text("old\n")

    ended = subprocess.run(
        [sys.executable, "-c", WRITES, str(file), during],
        env={"PYTHONPATH": str(GOLDEN.parent)},
        check=False,
    )

    assert ended.returncode == 9
    assert file.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_written_only_if_it_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MADE", tmp_path / "made")
    file = tmp_path / "new" / "contents.txt"

    assert writing.write(file, "one\n")
    before = file.stat().st_mtime_ns
    assert not writing.write(file, "one\n")
    assert (file.read_text(), file.stat().st_mtime_ns) == ("one\n", before)
    assert writing.write(file, "two\n")
    assert file.read_text() == "two\n"


def test_logical_ids_stand_with_the_other_golden_files() -> None:
    assert all((golden_folder(pattern) / LOGICAL_IDS).exists() for pattern in PATTERNS)


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


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"no end", "does not end its last line"),
        (b"\nfirst\n", "begins or ends with an empty line"),
        (b"last\n\n", "begins or ends with an empty line"),
        (b"one\r\n", "carriage return"),
        (b"one \n", "spaces at the end"),
        (f"{FOLD}one\n".encode(), "a line like those that go on below"),
        (b'{\n"a": 1\n}\n', "not indented"),
        (b'{\n  "{": [\n  1]\n}\n', "not indented"),
    ],
)
def test_a_careless_file_is_refused(content: bytes, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_bytes(content)

    with pytest.raises(ValueError, match=complaint):
        read(tmp_path)


def test_a_symbolic_link_and_what_is_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_bytes(b"\xff\n")
    with pytest.raises(ValueError, match="codec can't decode"):
        read(tmp_path)

    (tmp_path / "file.txt").unlink()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="link is a symbolic link"):
        read(tmp_path)
