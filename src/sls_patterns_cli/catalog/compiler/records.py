"""What is compiled, as immutable records: templates print their fields, and decide nothing."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Facts = dict[str, Any]

PAGE: Literal["page"] = "page"
TICKET: Literal["ticket"] = "ticket"
DEPLOYMENT: Literal["deployment"] = "deployment"
Tier = Literal["page", "ticket", "deployment"]
"""Who must act on an alarm: somebody now, somebody in working hours, or CodeDeploy, by itself."""


@dataclass(frozen=True)
class Graph:
    """The compiled nodes and edges."""

    facts: Mapping[str, Facts]
    edges: tuple[Facts, ...]

    def node(self, name: str) -> "CompiledNode":
        """A node by its name."""
        return CompiledNode(self.facts[name], self)

    @property
    def nodes(self) -> list["CompiledNode"]:
        """All nodes, as they were declared."""
        return [self.node(name) for name in self.facts]


@dataclass(frozen=True)
class CompiledNode:
    """A node with its facts, such as `id` and `timeout`, and its place in the graph."""

    facts: Facts
    graph: Graph

    def __getitem__(self, fact: str) -> Any:
        return self.facts[fact]

    def get(self, fact: str) -> Any:
        """A fact that not every node of the kind has; None without it."""
        return self.facts.get(fact)

    @property
    def incoming(self) -> list[Facts]:
        """The edges that lead to it."""
        return [self.graph.edges[number] for number in self["incoming"]]

    @property
    def outgoing(self) -> list[Facts]:
        """The edges that lead from it."""
        return [self.graph.edges[number] for number in self["outgoing"]]

    @property
    def sources(self) -> list["CompiledNode"]:
        """The nodes from which edges lead to it."""
        return [self.graph.node(edge["from"]) for edge in self.incoming]

    @property
    def targets(self) -> list["CompiledNode"]:
        """The nodes to which edges lead from it."""
        return [self.graph.node(edge["to"]) for edge in self.outgoing]


Attribute = Literal[
    "alias_arn",
    "alias_name",
    "any",
    "api_endpoint",
    "api_id",
    "attr_arn",
    "attr_endpoint_address",
    "attr_endpoint_port",
    "bucket_arn",
    "bucket_name",
    "cache_arn",
    "event_bus_arn",
    "event_bus_name",
    "event_source_mapping_id",
    "executions",
    "function_arn",
    "function_name",
    "glue_catalog",
    "glue_database",
    "glue_table",
    "invoked_function",
    "item_executions",
    "log_group.log_group_name",
    "log_group_arn",
    "log_group_name",
    "map_runs",
    "objects",
    "parameter",
    "parameter_function",
    "parameter_list",
    "parameter_name",
    "project_name",
    "queue_arn",
    "queue_name",
    "queue_url",
    "ref",
    "rest_api_id",
    "rest_api_name",
    "rule_name",
    "secret_arn",
    "state_machine_arn",
    "stream_arn",
    "stream_name",
    "table_arn",
    "table_name",
    "table_stream_arn",
    "tls_url",
    "topic_arn",
    "topic_name",
    "url",
    "version",
]
"""Most are what CDK calls an attribute of its constructs. The others are the ARN of a function's
alias, what a caller names a function by, a parameter of the stack as a text, as the function that
the ARN in it names, or as a list, the address of a cache, all objects of a bucket, all executions
of a state machine or of the items of its map, the runs of that map, what a table of Glue is in and
itself, any resource at all, and the project's name, which is of no resource."""

Method = Literal[
    "grant",
    "grant_start_execution",
    "grant_start_sync_execution",
    "grant_stream",
    "grant_table_list_streams",
]
"""The methods by which constructs of CDK grant what they are called for."""


@dataclass(frozen=True)
class Reference:
    """An attribute of a resource or parameter, for which each flavour has its own syntax.

    `id` is the logical id, and `name` what the code of a stack calls it.
    """

    id: str
    attribute: Attribute
    name: str = ""

    def as_dict(self) -> Facts:
        """The reference as templates read it."""
        return {**vars(self), "name": self.name or kebab(self.id)}


@dataclass(frozen=True)
class Output:
    """An output of the stack, by which people and proofs find a resource."""

    name: str
    description: str
    """Empty where the name says it."""
    value: Reference

    def as_dict(self) -> Facts:
        """The output as templates read it."""
        return {**vars(self), "value": self.value.as_dict()}


@dataclass(frozen=True)
class OutputWhereRead(Output):
    """One that only a stack has of which something reads it, such as a proof."""


@dataclass(frozen=True)
class Metric:
    """A metric of CloudWatch; without a `namespace` the service reports it itself."""

    namespace: str | None
    name: str
    statistic: str
    dimensions: Mapping[str, Reference | str]

    def as_dict(self) -> Facts:
        """The metric as templates read it."""
        values = {
            name: value.as_dict() if isinstance(value, Reference) else value
            for name, value in self.dimensions.items()
        }
        return {**vars(self), "dimensions": values}


@dataclass(frozen=True)
class Threshold:
    """From when on an alarm goes off, as a parameter of the stack."""

    name: str
    default: int
    description: str

    @property
    def reference(self) -> str:
        """Its value in the terms of an alarm."""
        return f"${{{pascal(self.name)}}}"


Option = Literal[
    "concurrency",
    "capacity",
    "retention",
    "email",
    "boundary",
    "cors",
    "domain",
    "waf",
    "vpc",
    "cluster",
    "private-legacy",
    "kms",
]
"""What the optional parameters of a template set: the choices of the question `parameters`."""


@dataclass(frozen=True)
class OptionalParameter:
    """A parameter that a stack has only if it is wanted; its default changes nothing.

    A number has a `minimum`, or the values that are `allowed`; a text has the `pattern` that it
    matches. With `default_is_off` a condition tells whether it is set.
    """

    name: str
    option: Option
    default: int | str
    description: str
    minimum: int | None = None
    maximum: int | None = None
    allowed: tuple[int, ...] = ()
    pattern: str | None = None
    default_is_off: bool = False

    def as_dict(self) -> Facts:
        """The parameter as templates read it."""
        return {**vars(self), "allowed": list(self.allowed)}


@dataclass(frozen=True)
class Alarm:
    """An alarm, and why it is as it is.

    It goes off when the value is above `threshold` (with `below`, below it) in `needed` of
    `periods` periods of `period` seconds, by default in all of them. The value is the sum of
    `terms`, in which the metrics have their names of `metrics`, or without any that of the only
    metric.
    """

    id: str
    tier: Tier
    what: str
    """What is wrong, as a sentence without its full stop."""
    first: str
    """What to do first."""
    reason: str
    """Why these numbers and this tier."""
    metrics: Mapping[str, Metric]
    terms: tuple[str, ...] = ()
    threshold: Threshold | int = 0
    within: Threshold | None = None
    """A parameter that the terms name, as `${Name}`."""
    below: bool = False
    period: int = 60
    periods: int = 1
    needed: int | None = None
    missing: Literal["notBreaching", "ignore"] = "notBreaching"
    after: str = ""
    """When it goes off, if that is not simply after all the minutes of its `needed` periods."""
    clears: bool = True
    """Whether what is wrong is over once it is quiet, so that it tells this as well."""
    left_out_by: Option | None = None
    """The optional parameters that, when they are set, leave it out with what it watches."""

    def as_dict(self) -> Facts:
        """The alarm as templates read it: a threshold that is a parameter by its name."""
        minutes = (self.needed or self.periods) * self.period // 60
        return {
            **vars(self),
            "after": self.after or f"after {minutes} minute{'s' if minutes > 1 else ''}",
            "description": f"{self.tier.capitalize()}: {self.what}. First: {self.first}",
            "metrics": {name: metric.as_dict() for name, metric in self.metrics.items()},
            "terms": list(self.terms),
            "within": self.within and self.within.name,
            "threshold": (
                self.threshold.name if isinstance(self.threshold, Threshold) else self.threshold
            ),
        }


@dataclass(frozen=True)
class Variable:
    """An environment variable of a function, by the function's logical id."""

    function: str
    name: str
    value: Reference | str | int
    reason: str | None = None
    """Why it has that value, as a comment of its own."""

    def as_dict(self) -> Facts:
        """The variable as templates read it."""
        value = self.value.as_dict() if isinstance(self.value, Reference) else self.value
        return {**vars(self), "value": value}


@dataclass(frozen=True)
class Grant:
    """What a function, a state machine or a role may do, by its logical id.

    `method` is that of the resource's construct by which CDK grants it; without one, a statement
    does: the methods of other constructs grant more than this, or none is as narrow. `policy`
    names a policy of its own, where that of the grantee would refer to itself.
    """

    grantee: str
    actions: tuple[str, ...]
    resource: Reference
    method: Method | None = None
    policy: str | None = None
    reason: str | None = None
    """Why the resource is as wide as it is."""

    def as_dict(self) -> Facts:
        """The permission as templates read it."""
        return {
            **vars(self),
            "actions": list(self.actions),
            "resource": self.resource.as_dict(),
        }


@dataclass(frozen=True)
class Acknowledgement:
    """What cdk-nag's AWS Solutions find and a stack does not change, with the reason.

    Some rules have one `finding` for each policy or resource, which may name the construct `of`
    which it is. There is none `unless` the runtime is another version; then the reason has a hole
    for its name. If it is not the same with traces and without, `traced` says with which it is.
    """

    rule: str
    reason: str
    finding: str | None = None
    of: str | None = None
    unless: tuple[str, ...] = ()
    traced: bool | None = None

    def as_dict(self) -> Facts:
        """The acknowledgement as templates read it."""
        return {**vars(self), "unless": list(self.unless)}


def pascal(name: str) -> str:
    """A name such as `signing-secret` as `SigningSecret`."""
    return "".join(word.capitalize() for word in name.split("-"))


def unique(names: Iterable[str]) -> list[str]:
    """The names, each once, in their order."""
    return list(dict.fromkeys(names))


def kebab(name: str) -> str:
    """A name such as `SigningSecret` as `signing-secret`."""
    return re.sub("(?<!^)([A-Z])", r"-\1", name).lower()


def output(
    resource: str,
    suffix: str,
    description: str,
    attribute: Attribute,
    *,
    where_read: bool = False,
) -> Output:
    """The output with an attribute of a resource: its name is the logical id with the suffix."""
    kind = OutputWhereRead if where_read else Output
    return kind(f"{resource}{suffix}", description, Reference(resource, attribute))


def dead_letter_queue(name: str) -> str:
    """The logical id of the dead-letter queue of a node or edge: `OrdersDeadLetterQueue`."""
    return f"{pascal(name)}DeadLetterQueue"


def end_of(edge: Facts, failure: str) -> str:
    """The logical id of the queue in which a failure of an edge ends."""
    return next(str(each["queue"]) for each in edge["failures"] if each["id"] == failure)
