"""The failure-edge contract, recomputed from CloudFormation alone."""

from collections.abc import Callable, Iterator

from contract.aliases import alias_violations
from contract.answers import answer_violations
from contract.authorization import authorization_violations
from contract.bodies import body_violations
from contract.caches import cache_violations
from contract.conditions import condition_violations
from contract.dashboards import dashboard_violations
from contract.databases import database_violations
from contract.deadlines import deadline_violations
from contract.deliveries import delivery_violations
from contract.durable import durable_violations
from contract.edges import Edge, edges
from contract.effects import effect_violations
from contract.ends import edge_violations, polled_violations
from contract.fronts import front_violations
from contract.keys import key_violations
from contract.networks import network_violations
from contract.pages import page_violations
from contract.private_links import private_link_violations
from contract.proxies import proxy_violations
from contract.rollouts import rollout_violations
from contract.stack import Stacks, stacks
from contract.standards import STANDARDS
from contract.state_machines import state_machine_violations
from contract.tokens import token_violations
from contract.traces import trace_violations
from contract.tried import tried_violations
from contract.violations import Violation
from contract.warehouses import warehouse_violations

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.stack import Stack

Rule = Callable[[Template, Stack], Iterator[Violation]]


def _edge_violations(_: Template, stack: Stack) -> Iterator[Violation]:
    for edge in edges(stack):
        yield from edge_violations(stack, edge)


def _of_stack(rule: Callable[[Stack], Iterator[Violation]]) -> Rule:
    return lambda _, stack: rule(stack)


RULES: tuple[Rule, ...] = (
    _edge_violations,
    condition_violations,
    *map(
        _of_stack,
        (
            polled_violations,
            alias_violations,
            answer_violations,
            body_violations,
            state_machine_violations,
            *STANDARDS,
            database_violations,
            cache_violations,
            network_violations,
            dashboard_violations,
            deadline_violations,
            delivery_violations,
            durable_violations,
            effect_violations,
            private_link_violations,
            proxy_violations,
            rollout_violations,
            token_violations,
            authorization_violations,
            page_violations,
            front_violations,
            key_violations,
            trace_violations,
            tried_violations,
            warehouse_violations,
        ),
    ),
)
_LAST_BROKEN = list(RULES)


def violations(template: Template) -> list[Violation]:
    """Return every broken rule of every stack that the template may become; [] is a pass."""
    return list(dict.fromkeys(_violations(template)))


def keeps(template: Template, stacks_of: Stacks = stacks) -> bool:
    """Tell whether no rule is broken; one that is ends the search.

    What was broken last is asked first: templates that are tried one after another differ little.
    """
    for stack in stacks_of(template):
        for rule in _LAST_BROKEN:
            if next(rule(template, stack), None):
                _LAST_BROKEN.remove(rule)
                _LAST_BROKEN.insert(0, rule)
                return False
    return True


def asynchronous_edges(template: Template) -> set[Edge]:
    """Return the asynchronous edges of every stack that the template may become."""
    return {edge for stack in stacks(template) for edge in edges(stack)}


def _violations(template: Template) -> Iterator[Violation]:
    for stack in stacks(template):
        for rule in RULES:
            yield from rule(template, stack)
