"""What READMEs and workflows promise agrees with what the project does."""

import re
from pathlib import Path

import pytest
import yaml
from rendering import render_project

SUM = re.compile(r"\*\*\$(\d+\.\d\d)\*\*")
PRICE = re.compile(r"\$(\d+\.\d\d)")


def render(folder: Path, pattern: str, topology: str, runtime: str = "python") -> Path:
    return render_project(
        folder / "shop", pattern=pattern, topology=topology, runtime=runtime, iac="sam"
    )


@pytest.mark.parametrize(
    ("pattern", "topology", "actions"),
    [
        ("distributed-trigger", "cloudwatch-logs", ["logs:CreateLogStream", "logs:PutLogEvents"]),
        ("distributed-trigger", "s3-events", ["s3:PutObject"]),
        ("notifier", "sns", ["lambda:InvokeFunction"]),
        ("read-heavy-reporting-engine", "shared-database", ["sns:Publish"]),
        ("router", "event-rules", ["events:PutEvents"]),
        ("frugal-consumer", "standard", ["sqs:SendMessage"]),
    ],
)
def test_the_role_of_ci_may_call_the_service_as_its_smoke_test_does(
    pattern: str, topology: str, actions: list[str], tmp_path: Path
) -> None:
    readme = (render(tmp_path, pattern, topology) / "README.md").read_text()

    paragraph = next(line for line in readme.splitlines() if line.startswith("- CI deploys"))
    needed = paragraph.partition("; the role needs")[2].partition(" for it")[0]
    assert re.findall(r"`(\w+:\w+)`", needed) == actions


@pytest.mark.parametrize(
    ("pattern", "topology", "action"),
    [
        ("strangler", "rest-api", "`apigateway:GET` on `/account`"),
        ("fifoer", "scheduled", "`lambda:GetAccountSettings`"),
    ],
)
def test_the_role_of_ci_may_look_at_the_account(
    pattern: str, topology: str, action: str, tmp_path: Path
) -> None:
    readme = (render(tmp_path, pattern, topology) / "README.md").read_text()

    assert f" To look at the account first, it needs {action}.\n" in readme


def test_a_redrive_says_where_it_does_not_wait(tmp_path: Path) -> None:
    readme = (render(tmp_path, "notifier", "sns") / "README.md").read_text()

    assert "It waits for the outcome of functions that had failed" in readme
    assert "It does not wait where a message had never reached its function (`audit`)" in readme


@pytest.mark.parametrize(
    ("pattern", "topology"),
    [("notifier", "sns"), ("read-heavy-reporting-engine", "cache-aside")],
)
def test_a_deployment_has_time_for_a_smoke_test_that_waits(
    pattern: str, topology: str, tmp_path: Path
) -> None:
    project = render(tmp_path, pattern, topology)
    workflow = yaml.safe_load((project / ".github/workflows/ci.yml").read_text())
    waiting = (project / "tests/e2e/harness/waiting.py").read_text()
    stack = (project / "tests/e2e/stack.py").read_text()

    found = re.search(r"PATIENCE_SECONDS = (\d+) \+ (\d+) \* SECONDS_TO_END /", waiting)
    to_end = re.search(r"SECONDS_TO_END = (\d+)", stack)
    assert found
    assert to_end
    start, times = map(int, found.groups())
    seconds = int(to_end[1])
    assert workflow["jobs"]["deploy"]["timeout-minutes"] * 60 > 1800 + start + times * seconds


@pytest.mark.parametrize(
    ("pattern", "topology"),
    [
        ("robust-api", "rest-api"),
        ("simple-web-service", "rest-api"),
        ("strangler", "http-api"),
        ("strangler", "rest-api"),
    ],
)
def test_the_costs_of_an_api_are_summed_up_with_its_access_log(
    pattern: str, topology: str, tmp_path: Path
) -> None:
    readme = (render(tmp_path, pattern, topology) / "README.md").read_text()

    table = re.search(
        r"^\| \| idle, a month(.+?)^\| \*\*together.+?$", readme, re.DOTALL | re.MULTILINE
    )
    assert table
    *rows, total = (row.strip("|").split("|") for row in table.group().splitlines()[2:])
    for column, together in enumerate(total[1:], 1):
        prices = [float(price) for row in rows for price in PRICE.findall(row[column])]
        assert [f"{sum(prices):.2f}"] == SUM.findall(together)
    assert any("access log" in row[0] and "$" in row[-1] for row in rows)
