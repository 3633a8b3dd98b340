"""Lambda functions of other services."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.records import CompiledNode, Facts, Grant, Reference


def called(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permission to invoke the function that a parameter of the stack names."""
    arn = Reference(f"{target['id']}Arn", "parameter")
    yield Grant(source["id"], ("lambda:InvokeFunction",), arn)
