"""The page of speed gets a line a release, and what is much worse than before is marked."""

import pytest
from bench import LARGE_PARTS
from speed import HEAD, PAGE, large_tests, minutes_by_part, with_line

EMPTY = """# Page

| release | new | lines |
|---|---|---|

After it.
"""


def lines_of(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith("| ")][1:]


def test_a_release_gets_a_line_in_its_place() -> None:
    first = with_line(EMPTY, "0.8.0", {"new": 0.4321, "lines": 2345.5})
    second = with_line(first, "0.9.0", {"new": 0.5, "lines": 2345})
    again = with_line(second, "0.9.0", {"new": 0.4, "lines": 2000})

    assert lines_of(first) == ["| 0.8.0 | 0.43 | 2,346 |"]
    assert lines_of(again) == ["| 0.8.0 | 0.43 | 2,346 |", "| 0.9.0 | 0.4 | 2,000 |"]
    assert again.startswith("# Page\n")
    assert again.endswith("\n\nAfter it.\n")


@pytest.mark.parametrize(
    ("figure", "cell"), [(1240.0, "1,240"), (1250.0, "1,250"), (1260.0, "1,260 (worse)")]
)
def test_what_is_more_than_a_quarter_worse_is_marked(figure: float, cell: str) -> None:
    before = with_line(EMPTY, "0.8.0", {"new": 1, "lines": 1000})

    page = with_line(before, "0.9.0", {"new": 1, "lines": figure})

    assert lines_of(page)[-1] == f"| 0.9.0 | 1 | {cell} |"


def test_a_figure_is_compared_with_one_that_was_marked_and_not_with_none() -> None:
    page = with_line(EMPTY, "0.8.0", {"lines": 1000})
    page = with_line(page, "0.9.0", {"new": 3, "lines": 2000})
    page = with_line(page, "1.0.0", {"new": 3, "lines": 2100})

    assert lines_of(page)[1:] == ["| 0.9.0 | 3 | 2,000 (worse) |", "| 1.0.0 | 3 | 2,100 |"]


COSTS = """\
   60.00 tests/contract/test_a.py::test_one[a b]
   30.00 tests/contract/test_b.py::test_two
   29.00 tests/local/emulator/test_c.py::test_three
    1.00 tests/local/test_d.py::test_four
"""


def test_the_costs_of_a_run_are_told_by_folder_and_its_large_tests_by_name() -> None:
    assert minutes_by_part(COSTS) == {"contract": 1.5, "local": 0.5}
    assert [line.partition(" of ")[0] for line in large_tests(COSTS)] == ["50.0%", "25.0%", "24.2%"]
    assert next(large_tests(COSTS)).endswith("tests/contract/test_a.py::test_one[a b]")


def test_the_page_has_a_column_for_each_large_part() -> None:
    head = HEAD.search(PAGE.read_text())

    assert head
    assert all(f" tests/{part} |" in head[0] for part in LARGE_PARTS)
