"""The failure-edge contract, recomputed from CloudFormation alone."""

from collections.abc import Iterator

from contract.aliases import alias_violations
from contract.answers import answer_violations
from contract.authorization import authorization_violations
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
from contract.stack import stacks
from contract.standards import standard_violations
from contract.state_machines import state_machine_violations
from contract.tokens import token_violations
from contract.traces import trace_violations
from contract.violations import Violation
from contract.warehouses import warehouse_violations

from sls_patterns_cli.cloudformation.document import Template


def violations(template: Template) -> list[Violation]:
    """Return every broken rule of every stack that the template may become; [] is a pass."""
    return list(dict.fromkeys(_violations(template)))


def keeps(template: Template) -> bool:
    """Tell whether no rule is broken; one that is ends the search."""
    return next(_violations(template), None) is None


def asynchronous_edges(template: Template) -> set[Edge]:
    """Return the asynchronous edges of every stack that the template may become."""
    return {edge for stack in stacks(template) for edge in edges(stack)}


def _violations(template: Template) -> Iterator[Violation]:
    for stack in stacks(template):
        for edge in edges(stack):
            yield from edge_violations(stack, edge)
        yield from condition_violations(template, stack)
        yield from polled_violations(stack)
        yield from alias_violations(stack)
        yield from answer_violations(stack)
        yield from state_machine_violations(stack)
        yield from standard_violations(stack)
        yield from database_violations(stack)
        yield from cache_violations(stack)
        yield from network_violations(stack)
        yield from dashboard_violations(stack)
        yield from deadline_violations(stack)
        yield from delivery_violations(stack)
        yield from durable_violations(stack)
        yield from effect_violations(stack)
        yield from private_link_violations(stack)
        yield from proxy_violations(stack)
        yield from rollout_violations(stack)
        yield from token_violations(stack)
        yield from authorization_violations(stack)
        yield from page_violations(stack)
        yield from front_violations(stack)
        yield from key_violations(stack)
        yield from trace_violations(stack)
        yield from warehouse_violations(stack)
