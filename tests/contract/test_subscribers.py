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
