"""DynamoDB tables, as what functions and state machines call."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.records import CompiledNode, Facts, Grant, Reference

ACTIONS = {
    "read": ("GetItem",),
    "write": ("PutItem",),
    "write-once": ("GetItem", "PutItem"),
    "append": ("GetItem", "PutItem"),
    "update": ("UpdateItem",),
    "append-update": ("GetItem", "PutItem", "UpdateItem"),
    "read-many": ("BatchGetItem",),
    "read-update": ("GetItem", "UpdateItem"),
    "write-delete": ("PutItem", "DeleteItem"),
    "manage": ("GetItem", "Scan", "PutItem", "UpdateItem", "DeleteItem"),
    "rewrite": ("Scan", "UpdateItem"),
}
"""What an access may call, without the service."""


def called(edge: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permission to read or write items."""
    actions = tuple(f"dynamodb:{action}" for action in ACTIONS[edge["access"]])
    yield Grant(source["id"], actions, Reference(target["id"], "table_arn"), "grant")
