"""Secrets of Secrets Manager."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds.function import reported
from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Acknowledgement,
    Alarm,
    CompiledNode,
    Facts,
    Grant,
    Metric,
    Output,
    Reference,
    output,
    pascal,
)

FAILED_SIGN_INS = 1
"""How many sign-ins of an hour may fail: a single one may be a mistake of the other system."""


def failed_sign_ins(edge: Facts, source: CompiledNode) -> Metric:
    """The sign-ins that failed, as the function reports them: by the system (fact F4)."""
    return reported(source, "SignInFailed", system=edge["signs_in_to"])


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarm on a token that does not sign in, of the function that sends it.

    A function that asks several systems answers without one of them.
    """
    for edge in node.incoming:
        if "signs_in_to" not in edge:
            continue
        caller = node.graph.node(edge["from"])
        system = edge["signs_in_to"]
        only_system = sum(target["kind"] == "external" for target in caller.targets) == 1
        yield Alarm(
            f"{pascal(system)}SignInAlarm",
            PAGE if only_system else TICKET,
            f"The service cannot sign in to {system}",
            f"see in the log of {caller['name']} whether the token is refused or cannot be read, "
            f"and store a valid one in {node['id']}",
            f"two sign-ins in an hour; {caller['name']} "
            + (
                "has nothing to answer without it"
                if only_system
                else "answers with what the others have"
            ),
            {"failed": failed_sign_ins(edge, caller)},
            after="with the second failure",
            threshold=FAILED_SIGN_INS,
            period=3600,
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
