"""The dashboard of a stack: its alarms, then a row for each edge in the order of the diagram.

A row says what came and what is done, what failed, how old or slow it is, and what the end of
failures holds, by the metrics that the mechanism of the edge publishes. Edges that no metric tells
apart share a row, and an edge that only hands over to a queue or a stream is in the row of what
takes it from there. Each metric is in the namespace and by the dimensions that AWS documents: with
another one a graph stays empty, and nobody is told.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sls_patterns_cli.catalog.compiler.kinds import (
    api,
    aurora,
    cache,
    delivery,
    function,
    log_group,
    queue,
    rules,
    schedule,
    secret,
    state_machine,
    stream,
    table,
    topic,
)
from sls_patterns_cli.catalog.compiler.kinds.rate import LATENCY
from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Alarm,
    CompiledNode,
    Facts,
    Graph,
    Metric,
    Reference,
    Threshold,
    Tier,
    unique,
)
from sls_patterns_cli.terminal.sentences import listed

COLUMNS = 24
"""The grid of a dashboard, and its most widgets (`MOST_WIDGETS`), are those of CloudWatch:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html"""

MOST_WIDGETS = 500

START = "-PT3H"
"""A dashboard opens with the last three hours: in minutes, that is 180 points of each line."""

PERIOD = 60
"""Seconds between two points: the shortest of metrics that services publish."""

HEIGHT = 5
ALARMS_A_LINE = 4
"""An alarm is a box of 6 columns, and one row high; the title takes another."""
CHARACTERS_A_LINE = 160
"""Of a text as wide as the grid, and one row high."""

FUNCTIONS_A_ROW = 4
SIDES = "from", "to"

TITLES: dict[Tier, str] = {
    PAGE: "These alarms need somebody now",
    TICKET: "These alarms can wait for working hours",
}


@dataclass(frozen=True)
class Line:
    """A metric in a widget; without a label, CloudWatch shows the metric's name."""

    metric: Metric
    label: str | None = None

    def as_dict(self) -> Facts:
        """The line as templates read it."""
        return {"metric": self.metric.as_dict(), "label": self.label}


@dataclass(frozen=True)
class Limit:
    """A horizontal line: a threshold of an alarm, or what ends a call."""

    label: str
    value: Threshold | int

    def as_dict(self) -> Facts:
        """The limit as templates read it: a threshold that is a parameter by its name."""
        value = self.value.name if isinstance(self.value, Threshold) else self.value
        return {"label": self.label, "value": value}


@dataclass(frozen=True)
class Widget:
    """A graph, or with `view` the newest values as numbers, at its place in the grid."""

    title: str
    lines: tuple[Line, ...]
    limit: Limit | None = None
    view: Literal["timeSeries", "singleValue"] = "timeSeries"
    x: int = 0
    y: int = 0
    width: int = COLUMNS
    height: int = HEIGHT

    def as_dict(self) -> Facts:
        """The widget as templates read it."""
        return {
            **vars(self),
            "lines": [line.as_dict() for line in self.lines],
            "limit": self.limit and self.limit.as_dict(),
        }


@dataclass(frozen=True)
class Status:
    """The state of the alarms of a tier, by their logical ids, above a text.

    `when` says of each when it goes off, which the widget of states cannot.
    """

    title: str
    tier: Tier
    alarms: tuple[str, ...]
    when: tuple[str, ...]
    text: str
    """What stands below the states."""
    y: int
    height: int
    text_height: int

    def as_dict(self) -> Facts:
        """The widgets as templates read them."""
        return {**vars(self), "alarms": list(self.alarms), "when": list(self.when)}


@dataclass(frozen=True)
class Dashboard:
    """What a dashboard shows; rows are lists of widgets with the same `y`.

    `rules` are those of custom buses: their names are parts of what identifies them.
    """

    start: str
    period: int
    alarms: list[Status]
    top: int
    """Where the rows begin, below the alarms: their `y` count from there."""
    rows: list[list[Widget]]
    rules: list[str]
    metrics: int
    """How many different ones it shows: of a dashboard that is free, CloudWatch limits them."""

    def as_dict(self) -> Facts:
        """The dashboard as templates read it."""
        return {
            "start": self.start,
            "period": self.period,
            **on_top(self.alarms),
            "rules": self.rules,
            "metrics": self.metrics,
            "rows": [[widget.as_dict() for widget in row] for row in self.rows],
        }


Row = tuple[Widget, ...]


def dashboard(graph: Graph, alarms: Sequence[Alarm]) -> Dashboard:
    """The dashboard of a stack with these alarms.

    Raises:
        ValueError: CloudWatch takes no dashboard with so many widgets.
    """
    shown = statuses(alarms)
    rows = [*_rows(graph), *_functions(graph)]
    if 2 * len(shown) + sum(map(len, rows)) > MOST_WIDGETS:
        raise ValueError(f"a dashboard has at most {MOST_WIDGETS} widgets")
    placed = [_placed(row, HEIGHT * number) for number, row in enumerate(rows)]
    return Dashboard(START, PERIOD, shown, _height(shown), placed, _rules(rows), _metrics(rows))


def statuses(alarms: Sequence[Alarm]) -> list[Status]:
    """The widgets of the alarms, a tier below the other."""
    found: list[Status] = []
    for tier, title in TITLES.items():
        if of_tier := [alarm for alarm in alarms if alarm.tier == tier]:
            found.append(_status(title, tier, of_tier, _height(found)))
    return found


def on_top(shown: Sequence[Status]) -> Facts:
    """What a dashboard with these alarms has of them, as templates read it."""
    return {"alarms": [each.as_dict() for each in shown], "top": _height(shown)}


def _height(shown: Sequence[Status]) -> int:
    return sum(each.text_height + each.height for each in shown)


def _status(title: str, tier: Tier, alarms: Sequence[Alarm], y: int) -> Status:
    ids, when = tuple(alarm.id for alarm in alarms), tuple(map(_when, alarms))
    text = "; ".join(when)
    lines, high = -(-len(alarms) // ALARMS_A_LINE), -(-len(text) // CHARACTERS_A_LINE)
    return Status(title, tier, ids, when, text, y, 1 + lines, high)


def _when(alarm: Alarm) -> str:
    """When an alarm goes off, and that a stack may not have it, in few words."""
    if_any = ", if it is here" if alarm.left_out_by else ""
    return f"{alarm.id.removesuffix('Alarm')} {alarm.as_dict()['after']}{if_any}"


def _metrics(rows: Sequence[Row]) -> int:
    """How many metrics there are, each once whatever its statistics."""
    lines = (line for row in rows for widget in row for line in widget.lines)
    return len(unique(str(replace(line.metric, statistic="")) for line in lines))


def _rules(rows: Sequence[Row]) -> list[str]:
    return unique(
        value.id
        for row in rows
        for widget in row
        for line in widget.lines
        for value in line.metric.dimensions.values()
        if isinstance(value, Reference) and value.attribute == "rule_name"
    )


def _placed(row: Row, y: int) -> list[Widget]:
    """The widgets of a row next to each other, as wide as the grid."""
    width = COLUMNS // len(row)
    return [replace(each, x=width * place, y=y, width=width) for place, each in enumerate(row)]


def _rows(graph: Graph) -> Iterator[Row]:
    """The rows of the edges; those with the same metrics share one, with the ends of them all."""
    rows: list[tuple[Row, list[Facts]]] = []
    for edge in graph.edges:
        source, target = graph.node(edge["from"]), graph.node(edge["to"])
        show = BY_SOURCE.get(source["kind"]) or BY_TARGET.get(target["resource"])
        row = tuple(show(edge, source, target)) if show else ()
        same = next((edges for other, edges in rows if other == row), None)
        if same is not None:
            same.append(edge)
        elif row:
            rows.append((row, [edge]))
    for row, edges in rows:
        yield (*row, *_kept(graph, edges))


def _kept(graph: Graph, edges: Sequence[Facts]) -> Iterator[Widget]:
    """What the ends of edges hold: what failed there, or was set aside."""
    ends = [(edge, end) for edge in edges for end in _ends(edge, graph.node(edge["to"]))]
    if ends:
        sources, targets = (listed(unique(edge[side] for edge, _ in ends)) for side in SIDES)
        lines = tuple(Line(queue.depth(end), end) for end in unique(end for _, end in ends))
        yield Widget(f"From {sources} to {targets}: failed, and kept", lines, view="singleValue")


def _ends(edge: Facts, target: CompiledNode) -> Iterator[str]:
    yield from (each["queue"] for each in edge["failures"] if each["queue"])
    if target["kind"] == "queue" and not target["outgoing"]:
        yield target["id"]


def _graph(title: str, *metrics: Metric, limit: Limit | None = None) -> Widget:
    """A graph in which metrics of the same name are told apart by their statistics."""
    names = [metric.name for metric in metrics]
    lines = (
        Line(each, f"{each.name} {each.statistic}" if names.count(each.name) > 1 else None)
        for each in metrics
    )
    return Widget(title, tuple(lines), limit)


def _alarm(threshold: Threshold | int) -> Limit:
    return Limit("alarm", threshold)


def _failures(node: CompiledNode) -> tuple[Metric, ...]:
    """What fails of a function; of any other node its own rows tell."""
    if node["kind"] != "function":
        return ()
    return function.metric(node, "Errors"), function.metric(node, "Throttles")


def _fails(node: CompiledNode) -> Widget:
    return _graph(f"The {node['name']} function fails or is throttled", *_failures(node))


def _takes(node: CompiledNode) -> Widget:
    """How long a function takes: Lambda ends it at its timeout."""
    seconds = node["timeout"]
    return _graph(
        f"How long the {node['name']} function takes, in milliseconds",
        function.metric(node, "Duration", "p90"),
        function.metric(node, "Duration", "Maximum"),
        limit=Limit("timeout", seconds * 1000),
    )


def _functions(graph: Graph) -> Iterator[Row]:
    """The durations of the functions of which no row of an edge shows them."""
    shown = [node for node in graph.nodes if node["kind"] == "function" and not _is_called(node)]
    rows = -(-len(shown) // FUNCTIONS_A_ROW)
    for row in range(rows):
        yield tuple(map(_takes, shown[len(shown) * row // rows : len(shown) * (row + 1) // rows]))


def _is_called(node: CompiledNode) -> bool:
    """Whether a row is of what calls a function and waits for it."""
    return any(
        edge["call"] == "sync" and node.graph.node(edge["from"])["kind"] not in BY_SOURCE
        for edge in node.incoming
    )


def _to_api(_: Facts, __: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    failed, refused = api.NAMES[target["kind"]][2:]
    yield _graph("Requests come to the API", api.metric(target, "Count"))
    yield _graph(
        "The API fails or refuses requests", api.metric(target, failed), api.metric(target, refused)
    )
    yield _graph(
        "How long callers wait for the API, in milliseconds",
        api.metric(target, "Latency", "p50"),
        api.metric(target, "Latency", "p90"),
        limit=_alarm(LATENCY),
    )


def _to_function(edge: Facts, _: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    if edge["call"] == "async" and edge.get("by") not in {"map", "batches"}:
        yield _graph(
            f"Events come to the {target['name']} function, with attempts at them",
            function.metric(target, "AsyncEventsReceived"),
            function.metric(target, "Invocations"),
        )
        yield _fails(target)
        yield _graph(
            f"How long events wait for the {target['name']} function, in milliseconds",
            *_ages(target),
        )
    else:
        yield _graph(
            f"The {target['name']} function is called", function.metric(target, "Invocations")
        )
        yield _fails(target)
        if edge["call"] == "sync":
            yield _takes(target)


def _ages(node: CompiledNode) -> tuple[Metric, ...]:
    """How long events wait for a function that is invoked asynchronously."""
    if not node.get("invoked_asynchronously"):
        return ()
    return (function.metric(node, "AsyncEventAge", "Maximum"),)


def _from_queue(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    name = source["name"]
    yield _graph(
        f"Messages of {name} come, are done, and wait",
        queue.metric(source["id"], "NumberOfMessagesSent"),
        queue.metric(source["id"], "NumberOfMessagesDeleted"),
        queue.depth(source["id"]),
    )
    yield _fails(target)
    yield _graph(
        f"How long messages of {name} wait for {target['name']}, in seconds",
        queue.age(source["id"]),
        limit=_alarm(queue.oldest_message(source.graph)),
    )


def _to_queue(_: Facts, __: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    """Of a queue that nothing in the stack takes from."""
    if not target["outgoing"]:
        yield _graph(
            f"Messages come to {target['name']}", queue.metric(target["id"], "NumberOfMessagesSent")
        )


def _published(node: CompiledNode) -> Widget:
    """What SNS tells of all subscriptions together."""
    return _graph(
        f"Messages of {node['name']} are published and delivered",
        topic.metric(node, "NumberOfMessagesPublished"),
        topic.metric(node, "NumberOfNotificationsDelivered"),
        topic.metric(node, "NumberOfNotificationsFilteredOut"),
    )


def _undelivered(node: CompiledNode) -> tuple[Metric, ...]:
    return (
        topic.metric(node, "NumberOfNotificationsFailed"),
        topic.metric(node, "NumberOfNotificationsRedrivenToDlq"),
        topic.metric(node, "NumberOfNotificationsFailedToRedriveToDlq"),
    )


def _from_topic(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    name = source["name"]
    yield _published(source)
    if target["kind"] == "function":
        yield _graph(
            f"Messages of {name} are not delivered, or {target['name']} fails",
            *_undelivered(source),
            *_failures(target),
        )
        yield _graph(
            f"How long messages of {name} wait for {target['name']}, in milliseconds",
            *_ages(target),
        )
    else:
        yield _graph(f"Messages of {name} are not delivered", *_undelivered(source))


def _to_topic(_: Facts, __: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    """Of a topic to which only other stacks subscribe."""
    if not target["outgoing"]:
        yield _published(target)
        yield _graph(f"Messages of {target['name']} are not delivered", *_undelivered(target))


def _from_rule(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    from_, to = source["name"], target["name"]
    yield _graph(
        f"Events of {from_} reach {to}",
        rules.metric(source, target, "MatchedEvents"),
        rules.metric(source, target, "SuccessfulInvocationAttempts"),
    )
    yield _graph(
        f"Events of {from_} do not reach {to}{_or_fail(target)}",
        rules.metric(source, target, "FailedInvocations"),
        rules.metric(source, target, "InvocationsSentToDlq"),
        rules.metric(source, target, "InvocationsFailedToBeSentToDlq"),
        *_failures(target),
    )
    yield _graph(
        f"How long events of {from_} take to {to}, in milliseconds",
        rules.metric(source, target, "IngestionToInvocationSuccessLatency", "Maximum"),
        *_ages(target),
    )


def _or_fail(target: CompiledNode) -> str:
    return ", or fail there" if target["kind"] == "function" else ""


def _from_schedule(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    name = target["name"]
    yield _graph(f"Runs of {name} are started", schedule.metric(source, "InvocationAttemptCount"))
    yield _graph(
        f"Runs of {name} are not started, or fail",
        schedule.metric(source, "TargetErrorCount"),
        schedule.metric(source, "InvocationDroppedCount"),
        schedule.metric(source, "InvocationsFailedToBeSentToDeadLetterCount"),
        *_failures(target),
    )
    if ages := _ages(target):
        yield _graph(f"How long runs of {name} wait, in milliseconds", *ages)


def _to_stream(_: Facts, __: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    yield _graph(f"Records come to {target['name']}", stream.metric(target, "IncomingRecords"))
    yield _graph(
        f"{target['name'].capitalize()} takes in less than it is sent",
        stream.metric(target, "WriteProvisionedThroughputExceeded"),
    )


def _from_stream(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    name = source["name"]
    if target["kind"] == "delivery":
        yield _graph(
            f"{target['name'].capitalize()} reads records of {name}",
            delivery.metric(target, "DataReadFromKinesisStream.Records"),
        )
        yield _graph(
            f"Firehose is throttled when it reads {name}",
            delivery.metric(target, "ThrottledGetRecords"),
        )
        yield _graph(
            f"How late {target['name']} reads {name}, in milliseconds",
            delivery.metric(target, "KinesisMillisBehindLatest", "Maximum"),
            limit=_alarm(delivery.LATE_MILLISECONDS),
        )
    else:
        yield from _read(f"records of {name}", target)


def _from_table(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    yield from _read(f"changes of {source['name']}", target)


def _read(what: str, target: CompiledNode) -> Iterator[Widget]:
    """What a function takes of a stream, what fails there, and how late it is."""
    name = target["name"]
    yield _graph(
        f"{name.capitalize()} takes batches of {what}", function.metric(target, "Invocations")
    )
    yield _fails(target)
    yield _graph(
        f"How long {what} wait for {name}, in milliseconds",
        function.metric(target, "IteratorAge", "Maximum"),
        limit=_alarm(function.OLDEST_RECORD),
    )


def _to_delivery(_: Facts, __: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    yield _graph(f"Records come to {target['name']}", delivery.metric(target, "IncomingRecords"))
    yield _graph(
        f"{target['name'].capitalize()} takes in less than it is sent",
        delivery.metric(target, "ThrottledRecords"),
    )


def _from_delivery(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    if target["kind"] == "function":
        yield _graph(
            f"Records of {source['name']} are processed by {target['name']}",
            delivery.metric(source, "SucceedProcessing.Records"),
        )
        yield _graph(
            f"Which share of the calls of {target['name']} succeeds",
            delivery.metric(source, "ExecuteProcessing.Success", "Average"),
        )
        yield _fails(target)
        return
    if delivery.is_iceberg(source):
        yield _graph(
            f"Rows of {source['name']} reach {target['name']}",
            delivery.metric(source, "DeliveryToIceberg.SuccessfulRowCount"),
        )
        yield _graph(
            f"Rows that {target['name']} does not take",
            delivery.metric(source, "DeliveryToIceberg.FailedRowCount"),
        )
        yield _graph(
            f"How old rows are when they reach {target['name']}, in seconds",
            delivery.metric(source, "DeliveryToIceberg.DataFreshness", "Maximum"),
            limit=_alarm(source["late_after_minutes"] * 60),
        )
        return
    loaded = target["resource"] == "redshift-serverless"
    steps = ("DeliveryToS3", *(("DeliveryToRedshift",) if loaded else ()))
    yield _graph(
        f"Records of {source['name']} reach {target['name']}",
        *(delivery.metric(source, f"{step}.Records") for step in steps),
    )
    yield _graph(
        f"Which share of the writes to {target['name']} succeeds",
        *(delivery.metric(source, f"{step}.Success", "Average") for step in steps),
    )
    yield _graph(
        f"How old records are when they reach {target['name']}, in seconds",
        delivery.metric(source, "DeliveryToS3.DataFreshness", "Maximum"),
        limit=_alarm(source["late_after_minutes"] * 60),
    )


def _from_log_group(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    yield _graph(
        f"Log events of {source['name']} reach {target['name']}",
        log_group.metric(source, target, "ForwardedLogEvents"),
    )
    yield _graph(
        f"Log events of {source['name']} do not reach {target['name']}, or fail there",
        log_group.metric(source, target, "DeliveryErrors"),
        log_group.metric(source, target, "DeliveryThrottling"),
        *_failures(target),
    )
    if ages := _ages(target):
        yield _graph(f"How long log events wait for {target['name']}, in milliseconds", *ages)


def _to_state_machine(_: Facts, __: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    name = target["name"]
    yield _graph(
        f"Executions of {name} are started and succeed",
        state_machine.metric(target, "ExecutionsStarted"),
        state_machine.metric(target, "ExecutionsSucceeded"),
    )
    yield _graph(f"Executions of {name} fail", *state_machine.failed(target).values())
    yield _graph(
        f"How long executions of {name} take, in milliseconds",
        state_machine.metric(target, "ExecutionTime", "p90"),
        state_machine.metric(target, "ExecutionTime", "Maximum"),
    )


def _to_table(_: Facts, __: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    name = target["name"]
    accesses = dict.fromkeys(edge["access"] for edge in target.incoming if "access" in edge)
    operations = dict.fromkeys(each for access in accesses for each in table.ACTIONS[access])
    yield _graph(
        f"Reads and writes of {name}, in capacity units",
        table.metric(target, "ConsumedReadCapacityUnits"),
        table.metric(target, "ConsumedWriteCapacityUnits"),
    )
    yield _graph(
        f"Reads and writes of {name} are throttled",
        table.metric(target, "ReadThrottleEvents"),
        table.metric(target, "WriteThrottleEvents"),
    )
    yield Widget(
        f"How long reads and writes of {name} take, in milliseconds",
        tuple(
            Line(table.metric(target, "SuccessfulRequestLatency", "Average", each), each)
            for each in operations
        ),
    )


def _to_cluster(_: Facts, __: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    name = target["name"]
    yield _graph(
        f"Connections to the database of {name}",
        aurora.metric(target, "DatabaseConnections", "Maximum"),
    )
    yield _graph(
        f"How much of its capacity {name} uses, in percent",
        aurora.metric(target, "ACUUtilization", "Average"),
        aurora.metric(target, "CPUUtilization", "Average"),
        limit=_alarm(aurora.CAPACITY_PERCENT),
    )
    yield _graph(
        f"Capacity of {name}, in ACU",
        aurora.metric(target, "ServerlessDatabaseCapacity", "Average"),
    )
    yield _graph(
        f"Free memory of {name}, in bytes", aurora.metric(target, "FreeableMemory", "Minimum")
    )


def _to_cache(_: Facts, __: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    name = target["name"]
    yield _graph(f"Commands that {name} takes", cache.metric(target, "TotalCmdsCount"))
    yield _graph(
        f"{name.capitalize()} is throttled or evicts",
        cache.metric(target, "ThrottledCmds"),
        cache.metric(target, "Evictions"),
    )
    yield _graph(
        f"How long reads and writes of {name} take, in microseconds",
        cache.metric(target, "SuccessfulReadRequestLatency", "Average"),
        cache.metric(target, "SuccessfulWriteRequestLatency", "Average"),
    )
    yield _graph(
        f"Memory that {name} uses, in bytes", cache.metric(target, "BytesUsedForCache", "Maximum")
    )


def _to_external(edge: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Widget]:
    """A circuit, as its caller reports it; nothing else is known of a system outside the stack."""
    if edge.get("circuit"):
        name = target["name"]
        yield _graph(
            f"The circuit of {name} is open (1) or closed (0)",
            function.reported(source, "CircuitOpen", "Maximum", circuit=name),
        )
        yield _graph(
            f"Calls of {name} without a circuit: its state is unavailable",
            function.reported(source, "CircuitStateUnavailable", circuit=name),
        )


def _to_secret(edge: Facts, source: CompiledNode, _: CompiledNode) -> Iterator[Widget]:
    """What its function reports of a token; Secrets Manager tells nothing of a single secret."""
    if "signs_in_to" in edge:
        yield _graph(
            f"Failed sign-ins to {edge['signs_in_to']}",
            secret.failed_sign_ins(edge, source),
            limit=_alarm(secret.FAILED_SIGN_INS),
        )


Show = Callable[[Facts, CompiledNode, CompiledNode], Iterator[Widget]]

BY_SOURCE: Mapping[str, Show] = {
    "queue": _from_queue,
    "topic": _from_topic,
    "event-bus": _from_rule,
    "bucket": _from_rule,
    "schedule": _from_schedule,
    "stream": _from_stream,
    "table": _from_table,
    "delivery": _from_delivery,
    "log-group": _from_log_group,
}
"""By the kind of the source: mechanisms that publish metrics of what they deliver."""

BY_TARGET: Mapping[str, Show] = {
    "http-api": _to_api,
    "rest-api": _to_api,
    "function": _to_function,
    "queue": _to_queue,
    "topic": _to_topic,
    "stream": _to_stream,
    "delivery": _to_delivery,
    "state-machine": _to_state_machine,
    "dynamodb": _to_table,
    "aurora-postgresql": _to_cluster,
    "cache": _to_cache,
    "external": _to_external,
    "secret": _to_secret,
}
"""By the resource of the target: what is called, where the source tells nothing of the call."""
