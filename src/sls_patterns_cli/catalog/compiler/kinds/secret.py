"""Secrets of Secrets Manager."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.records import (
    Acknowledgement,
    CompiledNode,
    Facts,
    Grant,
    Output,
    Reference,
    output,
)


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The ARN of a secret."""
    does = f"{node['does'][0].upper()}{node['does'][1:]}"
    yield output(node["id"], "Arn", does, "secret_arn")


def acknowledged(_: CompiledNode) -> Iterator[Acknowledgement]:
    """That a secret is not rotated."""
    yield Acknowledgement("AwsSolutions-SMG4", "both sides must change a shared secret together")


def called(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permission to read a secret."""
    arn = Reference(target["id"], "secret_arn")
    yield Grant(source["id"], ("secretsmanager:GetSecretValue",), arn)
