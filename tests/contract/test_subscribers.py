"""The stacks that another service copies to subscribe to a topic or a bus, which has events."""

from pathlib import Path

import pytest
from contract.check import violations
from rendering import render_project

from sls_patterns_cli.cloudformation.document import read

# What the stack leaves to whoever copies it: a consumer of the queue.
LEFT_TO_OTHERS = "alarm OrdersQueue: no alarm watches AWS/SQS ApproximateNumberOfMessagesVisible"


def says(text: str, file: Path) -> list[str]:
    file.write_text(text)
    return list(map(str, violations(read(file))))


def test_the_queues_of_a_subscriber_allow_its_rule_before_the_rule_exists(tmp_path: Path) -> None:
    """B37."""
    answers = {"pattern": "notifier", "topology": "eventbridge"}
    project = render_project(tmp_path / "orders", **answers)
    text = (project / "stacks/subscriber.yaml").read_text()
    assert says(text, tmp_path / "kept.yaml") == [LEFT_TO_OTHERS]

    early = text.replace(
        "    DependsOn: [OrdersQueuePolicy, UndeliveredDeadLetterQueuePolicy]\n", ""
    )
    assert says(early, tmp_path / "early.yaml") == [
        "E3 OrdersRule: must depend on OrdersQueuePolicy: events come at once (fact B37)",
        (
            "E3 OrdersRule: must depend on UndeliveredDeadLetterQueuePolicy: "
            "events come at once (fact B37)"
        ),
        LEFT_TO_OTHERS,
    ]


@pytest.mark.parametrize("topology", ["sns", "eventbridge"])
def test_a_subscriber_hides_messages_for_as_long_as_the_service_itself(
    topology: str, tmp_path: Path
) -> None:
    """The consumer that is copied beside it has the same timeout."""
    project = render_project(tmp_path / "shop", pattern="notifier", topology=topology, iac="sam")

    hidden = {
        read(file)["Resources"][queue]["Properties"]["VisibilityTimeout"]
        for file, queue in (
            (project / "template.yaml", "InvoicingQueue"),
            (project / "stacks/subscriber.yaml", "OrdersQueue"),
        )
    }
    assert len(hidden) == 1


# What is in the stack of the trigger.
OUTSIDE = [
    "E4 UploadsSubscription: TopicArn UploadsTopicArn must be a topic of this stack",
    (
        "alarm LostUploadsAlarm: TopicName is ${UploadsTopicArn} split at :, part 5, but must be "
        "that of a resource AWS::SNS::Topic of this stack"
    ),
]


@pytest.mark.parametrize("runtime", ["python", "typescript"])
@pytest.mark.parametrize("topology", ["s3-topic", "logs-topic"])
def test_a_subscriber_of_the_trigger_is_a_whole_service(
    topology: str, runtime: str, tmp_path: Path
) -> None:
    answers = {"pattern": "distributed-trigger", "topology": topology, "runtime": runtime}
    project = render_project(tmp_path / "uploads", datastore="none", **answers)
    text = (project / "stacks/subscriber.yaml").read_text()
    assert says(text, tmp_path / "whole.yaml") == OUTSIDE

    without_end = text.replace(
        "      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt UploadsDeadLetterQueue.Arn\n"
        "        maxReceiveCount: 33 # an outage of an hour makes no dead letter\n",
        "",
    )
    assert "E1 UploadsQueue: RedrivePolicy must name a queue of this stack" in says(
        without_end, tmp_path / "without_end.yaml"
    )
