"""SQS queues."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.quantities import Count, Duration
from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Acknowledgement,
    Alarm,
    CompiledNode,
    Facts,
    Grant,
    Graph,
    Metric,
    OptionalParameter,
    Output,
    Reference,
    Threshold,
    dead_letter_queue,
    output,
    pascal,
)
from sls_patterns_cli.errors import UserError

RETENTION = Duration(4, "days")
"""How long a queue keeps a message that nobody takes; the default of SQS, longer than a weekend:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-queue-parameters.html"""

DEAD_LETTER_RETENTION = Duration(14, "days")
"""How long a dead-letter queue keeps a message, and one for messages that are set aside: the most
that SQS allows. It must be longer than `RETENTION`, since the time of a message may count from its
first sending (fact X20)."""

DEAD_LETTER_TIME = Duration(DEAD_LETTER_RETENTION.amount - RETENTION.amount, "days")
"""How long a dead-letter queue keeps a message at least, also one whose time counts from its first
sending."""

FEWEST_RECEIVES = 5
"""AWS recommends at least so many receives before SQS moves a message to the dead-letter queue,
since a throttled batch counts:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""

MOST_RECEIVES = 1000
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""

OUTAGE_SECONDS = 3960
"""For how long a standard queue tries a message again: an outage of an hour makes no dead letter,
also of messages that were received just before it."""

ORDERED_SECONDS = 86_400
"""For how long a FIFO queue does: what is behind a message waits, and order ends with it."""

FORMER_RECEIVES = 5
"""After how many receives SQS moves a message in projects whose handlers name no poison: what can
never be processed goes the same way there."""

FORMER_BATCH_SIZE = 10
"""How many messages of a standard queue an invocation has in these projects."""

SUBSCRIBER_SECONDS = 20
"""The timeout of a function in a subscriber's own stack: it writes an item, or sends a letter."""

DEAD_LETTER_VARIABLE = "DEAD_LETTER_QUEUE_URL"
"""The variable by which a consumer knows the dead-letter queue of its queue."""

MAPPED_VISIBILITY_FACTOR = Count(6)
"""How many timeouts of its function a received message is invisible. A mapping needs that: it
counts its own retries of throttled batches
(https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html)."""

POLLED_VISIBILITY_FACTOR = Count(2)
"""A function that polls is throttled before it receives. Twice what its calls for a message take
leaves room for its own work and for clocks."""

OLDEST_MESSAGE_SECONDS = 1500
"""A message may wait so long, whatever else follows from the queue: a backlog that grows is told of
after half an hour, as by 15 minutes in 15 of 15, which AWS recommends."""

LATE_MINUTES = 20
"""A letter is told of for so long: of a queue that nobody has used for hours the first values come
up to 15 minutes late (fact C23)."""

STUCK_MESSAGES = 3
"""So many messages of which none is processed are no accident: all of them fail."""

STUCK_MINUTES = 4
"""For so many whole minutes none of them is: an outage pages within five. A message takes less."""


def mapped(function_seconds: int) -> Facts:
    """How long messages of a queue are invisible that a mapping hands to a function."""
    return {
        "visibility_timeout": MAPPED_VISIBILITY_FACTOR.number * function_seconds,
        "visibility_reason": f"{MAPPED_VISIBILITY_FACTOR.times} the function's timeout",
    }


def polled(message_seconds: int) -> Facts:
    """How long messages of a queue are invisible that a function polls."""
    return {
        "visibility_timeout": POLLED_VISIBILITY_FACTOR.number * message_seconds,
        "visibility_reason": f"{POLLED_VISIBILITY_FACTOR.times} the calls for a message, "
        "with their retries",
    }


def ends(name: str, visibility: int, *, fifo: bool, former: bool = False) -> Facts:
    """After how many receives SQS moves a message to the dead-letter queue, and why.

    Raises:
        UserError: a FIFO queue would need more receives than SQS counts, or half of its retention.
    """
    if former:
        return _receives(FORMER_RECEIVES, "AWS recommends at least five")
    tried = ORDERED_SECONDS if fifo else OUTAGE_SECONDS
    receives = max(FEWEST_RECEIVES, -(-tried // visibility))
    if not fifo:
        return _receives(receives, "an outage of an hour makes no dead letter")
    if receives > MOST_RECEIVES or 2 * receives * visibility > RETENTION.seconds:
        raise UserError(
            f"the FIFO queue {name} hides a message for {visibility} s; for a day of retries in at "
            f"most {MOST_RECEIVES} receives and half of the queue's retention it must be from "
            f"{-(-tried // MOST_RECEIVES)} to {RETENTION.seconds // 2 // FEWEST_RECEIVES} s"
        )
    return _receives(receives, "an outage of a day changes no order")


def _receives(number: int, reason: str) -> Facts:
    return {"receives": Count(number).as_dict(), "receives_reason": reason}


def of_consumer(node: CompiledNode) -> CompiledNode | None:
    """The queue whose messages a function processes, if it does."""
    return next((each for each in node.sources if each["resource"] == "queue"), None)


def metric(queue: str, name: str, statistic: str = "Sum") -> Metric:
    """A metric of a queue, by its logical id.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    """
    return Metric("AWS/SQS", name, statistic, {"QueueName": Reference(queue, "queue_name")})


def depth(queue: str) -> Metric:
    """How many messages wait in a queue, by its logical id.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/dead-letter-queues-alarms-cloudwatch.html
    """
    return metric(queue, "ApproximateNumberOfMessagesVisible", "Maximum")


def in_flight(queue: str) -> Metric:
    """How many messages of a queue are hidden, as somebody has received them, by its logical id."""
    return metric(queue, "ApproximateNumberOfMessagesNotVisible", "Maximum")


def age(queue: str) -> Metric:
    """How long the oldest message of a queue has waited, by the queue's logical id (fact C3)."""
    return metric(queue, "ApproximateAgeOfOldestMessage", "Maximum")


def stuck(queue: str, number: str = "") -> tuple[str, dict[str, Metric]]:
    """When none of the messages of a queue is processed, and the metrics that tell it.

    It is read from the queue, so it holds for whatever its consumer does. A message that SQS moves
    to the dead-letter queue is not deleted; one that the consumer sends there is.
    """
    deleted, waiting, hidden = (f"{name}{number}" for name in ("deleted", "waiting", "hidden"))
    metrics = {
        deleted: metric(queue, "NumberOfMessagesDeleted"),
        waiting: depth(queue),
        hidden: in_flight(queue),
    }
    return f"{deleted} == 0 AND {waiting} + {hidden} >= {STUCK_MESSAGES}", metrics


def grown(queue: str, number: str) -> tuple[str, dict[str, Metric]]:
    """Whether messages have come into a queue since the minute before, and the metrics of it.

    Those that somebody has received count, so that listing them changes nothing. The first value of
    a queue that was empty for hours has none before it, and is what has come (fact C23).
    """
    waiting, hidden = f"w{number}", f"h{number}"
    metrics = {
        waiting: depth(queue),
        hidden: in_flight(queue),
    }
    held = f"{waiting} + {hidden}"
    return f"IF({held} > 0 AND FILL(DIFF({held}), 1) > 0, 1, 0)", metrics


def oldest_message(graph: Graph) -> Threshold:
    """How old a message may be.

    A message that fails waits for two visibility timeouts until its third receive, after which SQS
    no longer counts it (fact C3). AWS recommends 1.5 times the expected age:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html
    """
    hidden = [node.get("visibility_timeout") or 0 for node in graph.nodes]
    return Threshold(
        "oldest-message-seconds",
        max(OLDEST_MESSAGE_SECONDS, 3 * max(hidden)),
        "How long a message may wait, in seconds; 1.5 times the longest normal wait",
    )


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms of a queue beside that of its dead-letter queue."""
    if node["outgoing"]:
        consumer = node.targets[0]
        none_is_processed, metrics = stuck(node["id"])
        oldest = oldest_message(node.graph)
        yield Alarm(
            f"{node['id']}AgeAlarm",
            PAGE,
            f"The {consumer['name']} function processes no message, or messages wait too long",
            "look for errors and throttles",
            f"{STUCK_MESSAGES} messages or more of which none is deleted count as if they waited "
            f"until the queue drops them; in {STUCK_MINUTES} of {STUCK_MINUTES} minutes",
            {"age": age(node["id"]), **metrics},
            terms=(f"IF({none_is_processed}, {RETENTION.seconds}, age)",),
            threshold=oldest,
            periods=STUCK_MINUTES,
            after=f"after {STUCK_MINUTES} minutes, or {oldest.default // 60 + STUCK_MINUTES} "
            "minutes after a message was sent",
        )
    elif node["kept_for_inspection"]:
        yield Alarm(
            f"{node['id']}Alarm",
            TICKET,
            f"Events that no rule knows are in {node['id']}",
            "run make dead-letters, then add a rule",
            f"nothing is lost for {DEAD_LETTER_RETENTION.text}, and nothing else reports it",
            {"waiting": depth(node["id"])},
        )


LEAST_CONSUMERS, MOST_CONSUMERS = 2, 1000
"""How many consumers at a time a mapping may have at most:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""


def parameters(node: CompiledNode) -> Iterator[OptionalParameter]:
    """How many consumers of a queue run at a time, where the mapping bounds them."""
    for edge in node.outgoing:
        if "max_concurrency" in edge:
            yield OptionalParameter(
                f"{pascal(edge['to'])}MaximumConcurrency",
                "concurrency",
                edge["max_concurrency"],
                f"How many executions of {edge['to']} handle messages at a time at most",
                minimum=LEAST_CONSUMERS,
                maximum=MOST_CONSUMERS,
            )


def dead_letter_url(queue: str, description: str) -> Output:
    """The output with the address of a dead-letter queue, by its logical id."""
    return Output(f"{queue}Url", description, Reference(queue, "queue_url"))


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The addresses of a queue and of its dead-letter queue."""
    yield output(node["id"], "Url", f"The queue that {node['does']}", "queue_url")
    if node["outgoing"]:
        yield dead_letter_url(dead_letter_queue(node["name"]), "")


def acknowledged(graph: Graph) -> Iterator[Acknowledgement]:
    """Why queues without a dead-letter queue are right: the rule knows ends of queues only."""
    ends = {failure["id"] for edge in graph.edges for failure in edge["failures"] if failure["end"]}
    reason = None
    if ends - {"E1"}:
        reason = "it does not see the dead-letter queue of anything but a queue"
    elif any(node["kind"] == "queue" and not node["outgoing"] for node in graph.nodes):
        reason = "what is set aside waits for people, and nothing takes it"
    if reason:
        yield Acknowledgement("AwsSolutions-SQS3", reason)


def grant(grantee: str, queue: str, *actions: str) -> Grant:
    """The permission to use a queue, by its logical id."""
    return Grant(grantee, actions, Reference(queue, "queue_arn"), "grant")


def called(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permission to send to a queue."""
    yield grant(source["id"], target["id"], "sqs:SendMessage")


def consumed(edge: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permission to receive and delete messages; a mapping also reads how many there are.

    What can never be processed, the function sends to the dead-letter queue itself.
    """
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
    if edge.get("by") != "poll":
        actions.append("sqs:GetQueueAttributes")
    yield grant(target["id"], source["id"], *actions)
    if edge["poison"] == "sent":
        yield grant(target["id"], dead_letter_queue(source["name"]), "sqs:SendMessage")
