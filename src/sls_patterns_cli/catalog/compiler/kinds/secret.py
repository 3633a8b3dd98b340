"""Secrets of Secrets Manager."""

from collections.abc import Iterator
from dataclasses import replace

from sls_patterns_cli.catalog.compiler.kinds import queue
from sls_patterns_cli.catalog.compiler.kinds.function import reported
from sls_patterns_cli.catalog.compiler.quantities import Count
from sls_patterns_cli.catalog.compiler.records import (
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

HOUR_MINUTES = 60

BAD_MINUTES = 2
"""So many minutes of an hour in which some calls cannot sign in are no accident of one call."""


def failed_sign_ins(edge: Facts, source: CompiledNode) -> Metric:
    """The sign-ins that failed, as the function reports them: by the system (fact F4)."""
    return reported(source, "SignInFailed", system=edge["signs_in_to"])


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarm on a token that does not sign in, of a function that asks several systems.

    It answers without one of them, and no other alarm tells.
    """
    for edge, caller in _signing_in(node):
        if not asks_one_system(caller):
            yield replace(
                _alarm(node, edge, caller),
                reason=f"two sign-ins in an hour; {caller['name']} answers with what the others "
                "have",
                metrics={"failed": failed_sign_ins(edge, caller)},
                after="with the second failure",
                threshold=FAILED_SIGN_INS,
                period=3600,
            )


def without_the_system(node: CompiledNode) -> Iterator[tuple[Alarm, Metric, CompiledNode]]:
    """The alarm on a token by which a function signs in to its only system, without its metrics.

    With it come the failures, and the function, whose callers or messages tell of an outage.
    """
    for edge, caller in _signing_in(node):
        if asks_one_system(caller):
            minutes = Count(_minutes_of_failures(caller))
            alarm = replace(
                _alarm(node, edge, caller),
                reason=f"in {minutes.words} minutes of an hour; while most that {caller['name']} "
                "does fails, another alarm tells",
                after=f"after {minutes.words} such minutes",
                periods=HOUR_MINUTES,
                needed=minutes.number,
            )
            yield alarm, failed_sign_ins(edge, caller), caller


def _minutes_of_failures(caller: CompiledNode) -> int:
    """In how many minutes of an hour sign-ins fail before somebody is told.

    Messages of a queue that are too few for its page fail at each receive until they are letters,
    which page. In more minutes than these can fail others do, which are mended by a retry.
    """
    consumed = queue.of_consumer(caller)
    if consumed is None:
        return BAD_MINUTES
    return (queue.STUCK_MESSAGES - 1) * int(consumed["receives"]["number"]) + 1


def asks_one_system(caller: CompiledNode) -> bool:
    """Whether a function has nothing to answer without a system that it signs in to."""
    return len([each for each in caller.targets if each["kind"] == "external"]) == 1


def _signing_in(node: CompiledNode) -> Iterator[tuple[Facts, CompiledNode]]:
    for edge in node.incoming:
        if "signs_in_to" in edge:
            yield edge, node.graph.node(edge["from"])


def _alarm(node: CompiledNode, edge: Facts, caller: CompiledNode) -> Alarm:
    return Alarm(
        f"{pascal(edge['signs_in_to'])}SignInAlarm",
        TICKET,
        f"The service cannot sign in to {edge['signs_in_to']}",
        f"see in the log of {caller['name']} whether the token is refused or cannot be read, "
        f"and store a valid one in {node['id']}",
        reason="",
        metrics={},
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
