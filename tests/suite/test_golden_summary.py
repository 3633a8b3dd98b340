"""A summary tells what a change does to generated files: each fact once, with how often."""

from pathlib import Path

from golden import archive, golden_file, golden_variants, render_all
from golden_summary import contents, facts, summary

from sls_patterns_cli import catalog

SAM, CDK = "http-python-sam-dynamodb", "http-python-cdk-dynamodb"
QUEUE = "Logs:\n  RetentionInDays: 30\nQueue:\n  Timeout: 60\n"


def archived(folder: Path, **projects: dict[str, str]) -> str:
    """Return the archive of these projects and of one that never changes."""
    written = {}
    for number, (variant, files) in enumerate({**projects, "other": {}}.items()):
        for name, text in {**files, "answers.yml": f"variant: {variant}\n"}.items():
            file = folder / str(number) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        written[variant] = folder / str(number)
    return archive(written)


def told(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return list(summary(facts(before, after)))


def test_an_archive_is_read_as_what_was_rendered(tmp_path: Path) -> None:
    pattern = catalog.pattern("internal-api")
    projects = render_all(golden_variants(pattern), tmp_path)

    read = contents(golden_file(pattern.slug).read_text())

    assert read == {
        (variant.options, file.relative_to(project).as_posix()): file.read_text()
        for variant, project in projects.items()
        for file in project.rglob("*")
        if file.is_file()
    }


def test_equal_changes_of_many_patterns_are_told_once(tmp_path: Path) -> None:
    changed = QUEUE.replace("30", "14")
    before = archived(tmp_path / "before", **{SAM: {"template.yaml": QUEUE}})
    after = archived(tmp_path / "after", **{SAM: {"template.yaml": changed}})

    lines = told({"one": before, "other": before}, {"one": after, "other": after})

    assert lines == [
        "Changes: 1; files: 2; patterns: 2",
        "\nYAML, SAM",
        "    2 times: RetentionInDays: 30 -> 14 (2 patterns)",
    ]


def test_variants_that_have_the_same_file_count_once(tmp_path: Path) -> None:
    files = {"README.md": "Kept for 30 days.\n", "pyproject.toml": "line-length = 100\n"}
    both = {SAM: files, CDK: files}
    after = {name: {**files, "README.md": "Kept for 14 days.\n"} for name in both}

    lines = told(
        {"one": archived(tmp_path / "before", **both)},
        {"one": archived(tmp_path / "after", **after)},
    )

    assert lines[1:] == ["\nMarkdown", "    1 time: Kept for 30 -> 14 days. (one)"]


def test_a_block_that_comes_or_goes_is_told_by_its_first_line(tmp_path: Path) -> None:
    alarm = "Alarm:\n  Threshold: 1\n"
    shorter, longer = (
        archived(tmp_path / name, **{SAM: {"template.yaml": text}})
        for name, text in (("shorter", QUEUE), ("longer", QUEUE + alarm))
    )

    come, gone = told({"one": shorter}, {"one": longer}), told({"one": longer}, {"one": shorter})

    assert come[-1] == "    1 time: + Alarm: (-0 +2 lines) (one)"
    assert gone[-1] == "    1 time: - Alarm: (-2 +0 lines) (one)"


def test_files_and_variants_that_come_and_go_are_told(tmp_path: Path) -> None:
    before = archived(tmp_path / "before", **{SAM: {"old.py": "OLD = 1\n"}, CDK: {}})
    after = archived(tmp_path / "after", **{SAM: {"new.ts": "const n = 1;\n"}})

    assert told({"one": before}, {"one": after})[1:] == [
        "\nfiles",
        "    1 time: + new.ts (one)",
        "    1 time: - old.py (one)",
        "\nvariants",
        f"    1 time: - {CDK} (one)",
    ]


def test_nothing_is_told_of_archives_that_are_equal(tmp_path: Path) -> None:
    same = archived(tmp_path, **{SAM: {"template.yaml": QUEUE}})

    assert told({"one": same}, {"one": same}) == ["No generated file has changed."]
