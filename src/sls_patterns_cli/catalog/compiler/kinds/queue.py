"""SQS queues."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Alarm,
    CompiledNode,
    Graph,
    Metric,
    Named,
    Threshold,
)

OLDEST_MESSAGE_SECONDS = 900
"""A message may wait so long, whatever else follows from the queue."""


def depth(queue: str) -> Metric:
    """How many messages wait in a queue, by its logical id.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/dead-letter-queues-alarms-cloudwatch.html
    """
    name = "ApproximateNumberOfMessagesVisible"
    return Metric("AWS/SQS", name, "Maximum", {"QueueName": Named("queue", queue)})


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
        yield Alarm(
            f"{node['id']}AgeAlarm",
            PAGE,
            f"Messages wait too long for the {consumer['name']} function",
            "look for errors and throttles",
            "AWS recommends 15 of 15 minutes, so that one slow message is no alarm",
            {
                "age": Metric(
                    "AWS/SQS",
                    "ApproximateAgeOfOldestMessage",
                    "Maximum",
                    {"QueueName": Named("queue", node["id"])},
                )
            },
            threshold=oldest_message(node.graph),
            periods=15,
        )
    elif node["kept_for_inspection"]:
        yield Alarm(
            f"{node['id']}Alarm",
            TICKET,
            f"Events that no rule knows are in {node['id']}",
            "run make dead-letters, then add a rule",
            "nothing is lost for 14 days, and nothing else reports it",
            {"waiting": depth(node["id"])},
        )
