"""The stubs and stacks of the graphs under test are as clean as what patterns render to."""

from pathlib import Path

from graphs.overlay import graphs
from static.test_project import CHECKED_BY_ONE, check_typescript


@CHECKED_BY_ONE
def test_what_is_typescript_is_formatted_linted_and_typed(tmp_path: Path) -> None:
    check_typescript(
        graph.render(tmp_path / str(graph))
        for graph in graphs()
        if (graph.variant.runtime, graph.variant.iac) == ("typescript", "cdk")
    )
