"""Draws a pattern's topology with the same template that draws it in a project's README."""

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog import compiler
from sls_patterns_cli.catalog.model import Topology


def mermaid(topology: Topology) -> str:
    """The topology as Mermaid flowchart text, in the catalogue's notation."""
    environment = Environment(  # noqa: S701 - no HTML
        loader=FileSystemLoader(catalog.template_root() / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("diagram.mmd.jinja").render(
        nodes=[{"name": node.name, "shape": node.facts.shape} for node in topology.nodes],
        edges=[compiler.edge(edge) for edge in topology.edges],
    )
