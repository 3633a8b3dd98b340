"""`sls-patterns dashboard` shows and draws the dashboards of anybody's templates."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from command import Cli
from rendering import render_project

SVG = "{http://www.w3.org/2000/svg}"


def widget(title: str, *metrics: Any, **others: Any) -> dict[str, Any]:
    properties = {"title": title, "metrics": list(metrics), "region": "eu-west-1"}
    return {"type": "metric", **others, "properties": properties}


def template(folder: Path, body: Any, **properties: Any) -> Path:
    """Write a template of CloudFormation with a dashboard."""
    file = folder / "template.json"
    board = {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": body}}
    queue = {"Type": "AWS::SQS::Queue"}
    resources = {"Board": board, "Orders0A1B2C3D": queue, "OrdersAlarm": alarm()}
    file.write_text(json.dumps({"Resources": resources, **properties}))
    return file


def alarm() -> dict[str, Any]:
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "orders-are-late"}}


def texts(picture: Path) -> list[str]:
    root = ET.fromstring(picture.read_text())
    return [str(each.text) for each in root.iter(f"{SVG}text")]


def test_it_lists_what_each_widget_shows(cli: Cli, tmp_path: Path) -> None:
    arn = "${OrdersAlarm.Arn}"
    body = {
        "widgets": [
            {"type": "alarm", "properties": {"title": "Alarms", "alarms": [arn]}},
            widget(
                "Orders come",
                ["AWS/SQS", "NumberOfMessagesSent", "QueueName", "orders", {"stat": "Sum"}],
                [".", "NumberOfMessagesDeleted", ".", "."],
                ["...", "other", {"label": "deleted elsewhere"}],
                [{"expression": "m1 / m2", "label": "share"}],
                ["AWS/SQS", "SentMessageSize", {"visible": False}],
            ),
            {"type": "text", "properties": {"markdown": "ask the shop's team"}},
        ]
    }

    shown = cli("dashboard", template(tmp_path, {"Fn::Sub": json.dumps(body)}))

    assert shown.returncode == 0
    _, alarms, orders, text = shown.stdout.splitlines()
    assert alarms == "  Alarms: orders-are-late"
    assert orders.split(": ")[1].split(", ") == [
        "NumberOfMessagesSent (Sum)",
        "NumberOfMessagesDeleted (Average)",
        "deleted elsewhere (Average)",
        "share (Average)",
    ]
    assert text == "  text: ask the shop's team"


def test_it_draws_titles_limits_and_metrics_and_no_data(cli: Cli, tmp_path: Path) -> None:
    late = widget("Orders <wait>", ["AWS/SQS", "ApproximateAgeOfOldestMessage"], width=12)
    late["properties"]["annotations"] = {"horizontal": [{"label": "alarm", "value": "LIMIT"}]}
    body = json.dumps({"start": "-P1D", "widgets": [late]}).replace('"LIMIT"', "${Seconds}")
    parameters = {"Seconds": {"Type": "Number", "Default": 900}}
    file = template(tmp_path, {"Fn::Sub": body}, Parameters=parameters)
    picture = tmp_path / "board.svg"

    assert cli("dashboard", file, "--svg", picture).returncode == 0

    shown = texts(picture)
    assert {"Orders <wait>", "ApproximateAgeOfOldestMessage", "alarm 900", "now"} <= {*shown}
    assert any("no measured data" in each for each in shown)
    assert "polyline" not in picture.read_text()


def test_widgets_without_a_place_follow_one_another(cli: Cli, tmp_path: Path) -> None:
    body = {"widgets": [widget(f"graph {n}", ["AWS/SQS", "Sent"], width=12) for n in range(3)]}
    picture = tmp_path / "board.svg"

    cli("dashboard", template(tmp_path, json.dumps(body)), "--svg", picture)

    root = ET.fromstring(picture.read_text())
    places = [str(each.get("transform")) for each in root.iter(f"{SVG}g")]
    (x1, y1), (x2, y2), (x3, y3) = (
        each.removeprefix("translate(").removesuffix(")").split() for each in places
    )
    assert (x1, y1) == (x3, y2)
    assert x2 != x1
    assert int(y3) > int(y1)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('{"widgets": [', "Board: its body is not JSON."),
        ("[]", "Board: its body has no widgets."),
        ({"Ref": "Body"}, "Board: its body has no widgets."),
    ],
)
def test_a_body_that_cannot_be_read_is_one_line(
    body: Any, problem: str, cli: Cli, tmp_path: Path
) -> None:
    picture = tmp_path / "board.svg"

    refused = cli("dashboard", template(tmp_path, body), "--svg", picture)

    assert refused.returncode == 2
    assert refused.stderr.strip().endswith(problem)
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not picture.exists()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("bare.json", "bare.json has no dashboard: no resource is an AWS::CloudWatch::Dashboard."),
        ("missing.json", "missing.json does not exist."),
        ("empty", "empty has no SAM or CloudFormation template."),
    ],
)
def test_a_path_without_a_dashboard_is_one_line(
    given: str, problem: str, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "bare.json").write_text('{"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}')
    (tmp_path / "empty").mkdir()

    refused = cli("dashboard", tmp_path / given)

    assert refused.returncode == 2
    assert refused.stderr.strip().endswith(problem)
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_picture_that_cannot_be_written_is_one_line(cli: Cli, tmp_path: Path) -> None:
    file = template(tmp_path, json.dumps({"widgets": []}))

    refused = cli("dashboard", file, "--svg", tmp_path / "gone/board.svg")

    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("answer", ["yes please", "17"])
def test_the_answer_is_true_or_false(answer: str, cli: Cli, tmp_path: Path) -> None:
    refused = cli(
        "new", "notifier", tmp_path / "shop", "--defaults", "--data", f"dashboard={answer}"
    )

    assert refused.returncode == 2
    said = f"sls-patterns: --data dashboard is {answer!r}; choose from: true, false"
    assert refused.stderr.strip() == said
    assert not (tmp_path / "shop").exists()


def test_a_new_project_has_a_dashboard_where_it_is_wanted(cli: Cli, tmp_path: Path) -> None:
    for name, answer in (("with", "true"), ("without", "false")):
        made = cli(
            *("new", "notifier", tmp_path / name, "--defaults", "--no-git"),
            *("--data", f"dashboard={answer}"),
        )
        assert made.returncode == 0, made.stderr

    assert (tmp_path / "with/dashboard.svg").exists()
    assert not (tmp_path / "without/dashboard.svg").exists()
    plain = render_project(tmp_path / "plain", pattern="notifier", project_name="without")
    template_of = [each / "template.yaml" for each in (tmp_path / "without", plain)]
    assert template_of[0].read_text() == template_of[1].read_text()
