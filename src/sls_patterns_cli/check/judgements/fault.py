"""What a rule finds in one form of a stack."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`path` leads to the property at fault.

    `mend` says how to mend it, with the lines to add; `sam` and `cdk` say it for resources that SAM
    or CDK makes, where that is another.
    """

    rule: str
    resource: str
    message: str
    mend: str
    path: tuple[str, ...] = ()
    sam: str = ""
    cdk: str = ""
    url: str = ""
    """AWS's page, where it is another than that of the rule."""


DEAD_LETTERS = """\
{name}DeadLetters:
  Type: AWS::SQS::Queue
  Properties:
    MessageRetentionPeriod: 1209600
"""


def dead_letters(name: str) -> str:
    """Return the lines of a dead-letter queue that is named after a resource."""
    return DEAD_LETTERS.format(name=name)
