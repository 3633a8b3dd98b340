"""OpenID providers outside the stack."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Output,
    OutputWhereRead,
    Reference,
)


def outputs(node: CompiledNode) -> Iterator[Output]:
    """What the parameters of the stack say of a provider."""
    yield OutputWhereRead(
        f"{node['id']}Id",
        "The issuer of the tokens",
        Reference(f"{node['id']}Url", "parameter"),
    )
    yield OutputWhereRead(
        f"{node['id']}Audiences",
        "The audiences of the tokens",
        Reference(f"{node['id']}Audience", "parameter_list"),
    )
