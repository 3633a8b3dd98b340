"""The command: prints what dashboards show, or draws them."""

from collections.abc import Iterator
from pathlib import Path

from sls_patterns_cli.dashboards.body import Widget
from sls_patterns_cli.dashboards.drawing import svg
from sls_patterns_cli.dashboards.reading import Dashboard, dashboards
from sls_patterns_cli.terminal import output


def run(path: Path, picture: Path | None) -> None:
    """Print the widgets of the dashboards at the path; with `picture`, write a picture there.

    Raises:
        UserError: there is no dashboard, or its body cannot be read.
        OSError: the picture cannot be written.
    """
    found = dashboards(path)
    if picture:
        picture.write_text(svg([each.body for each in found]), encoding="utf-8", newline="\n")
        output.show(f"{output.shown(picture)}")
        return
    for each in found:
        output.show("\n".join(_lines(each)))


def _lines(dashboard: Dashboard) -> Iterator[str]:
    yield f"{output.shown(dashboard.file)}: {dashboard.id}"
    for widget in dashboard.body.widgets:
        yield f"  {widget.title or widget.kind}: {', '.join(_shown(widget))}"


def _shown(widget: Widget) -> list[str]:
    if widget.kind == "alarm":
        return list(widget.alarms)
    metrics = [f"{each.shown} ({each.statistic})" for each in widget.metrics if each.visible]
    return metrics or [widget.text or widget.kind]
