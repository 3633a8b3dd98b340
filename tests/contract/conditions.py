"""What must hold where a condition leaves a resource out of a stack."""

from collections.abc import Iterator

from contract.violations import Violation

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.stack import Stack


def condition_violations(template: Template, stack: Stack) -> Iterator[Violation]:
    """Say what depends on a resource that the stack does not have: DependsOn knows no condition.

    A reference in the metadata, inside of Fn::If, is a dependency with a condition (fact O16).
    """
    left_out = template["Resources"].keys() - stack.resources.keys()
    for resource in stack.resources.values():
        for name in resource.depends_on:
            if name in left_out:
                says = f"depends on {name}, which a condition leaves out (fact O16)"
                yield Violation("condition", resource.name, says)
