"""A summary tells what a change does to generated files: each fact once, with how often."""

from golden import Project, Projects
from golden_summary import facts, summary

SAM, CDK = "http-python-sam-dynamodb", "http-python-cdk-dynamodb"
QUEUE = "Logs:\n  RetentionInDays: 30\nQueue:\n  Timeout: 60\n"


def projects(**some: Project) -> Projects:
    """Return these projects and one that never changes."""
    return {
        variant: {**files, "answers.yml": f"variant: {variant}\n"}
        for variant, files in {**some, "other": {}}.items()
    }


def told(before: dict[str, Projects], after: dict[str, Projects]) -> list[str]:
    return list(summary(facts(before, after)))


def test_equal_changes_of_many_patterns_are_told_once() -> None:
    changed = QUEUE.replace("30", "14")
    before = projects(**{SAM: {"template.yaml": QUEUE}})
    after = projects(**{SAM: {"template.yaml": changed}})

    lines = told({"one": before, "other": before}, {"one": after, "other": after})

    assert lines == [
        "Changes: 1; files: 2; patterns: 2",
        "\nYAML, SAM",
        "    2 times: RetentionInDays: 30 -> 14 (2 patterns, 2 variants)",
    ]


def test_variants_that_have_the_same_file_count_once() -> None:
    files = {"README.md": "Kept for 30 days.\n", "pyproject.toml": "line-length = 100\n"}
    both = {SAM: files, CDK: files}
    after = {name: {**files, "README.md": "Kept for 14 days.\n"} for name in both}

    lines = told({"one": projects(**both)}, {"one": projects(**after)})

    assert lines[1:] == ["\nMarkdown", "    1 time: Kept for 30 -> 14 days. (one, 2 variants)"]


def test_a_block_that_comes_or_goes_is_told_by_its_first_line() -> None:
    alarm = "Alarm:\n  Threshold: 1\n"
    shorter, longer = (
        projects(**{SAM: {"template.yaml": text}}) for text in (QUEUE, QUEUE + alarm)
    )

    come, gone = told({"one": shorter}, {"one": longer}), told({"one": longer}, {"one": shorter})

    assert come[-1] == "    1 time: + Alarm: (-0 +2 lines) (one)"
    assert gone[-1] == "    1 time: - Alarm: (-2 +0 lines) (one)"


def test_files_and_variants_that_come_and_go_are_told() -> None:
    before = projects(**{SAM: {"old.py": "OLD = 1\n"}, CDK: {}})
    after = projects(**{SAM: {"new.ts": "const n = 1;\n"}})

    assert told({"one": before}, {"one": after})[1:] == [
        "\nfiles",
        "    1 time: + new.ts (one)",
        "    1 time: - old.py (one)",
        "\nvariants",
        f"    1 time: - {CDK} (one)",
    ]


def test_nothing_is_told_of_projects_that_are_equal() -> None:
    same = projects(**{SAM: {"template.yaml": QUEUE}})

    assert told({"one": same}, {"one": same}) == ["No generated file has changed."]
