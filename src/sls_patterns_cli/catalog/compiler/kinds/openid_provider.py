"""OpenID providers outside the stack."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Output,
    Reference,
)


def outputs(node: CompiledNode) -> Iterator[Output]:
    """What the parameters of the stack say of a provider."""
    yield Output(
        f"{node['id']}Id",
        "The issuer of the tokens",
        Reference(f"{node['id']}Url", "parameter"),
        where_read=True,
    )
    yield Output(
        f"{node['id']}Audiences",
        "The audiences of the tokens",
        Reference(f"{node['id']}Audience", "parameter_list"),
        where_read=True,
    )
