"""The stack that another service copies to subscribe to a bus, which has events already."""

from pathlib import Path

from contract.check import violations

from sls_patterns_cli.local import cloudformation

NOTIFIER = Path(__file__).parents[2] / "templates/patterns/notifier"
COPIED = NOTIFIER / "eventbridge/stacks/subscriber.yaml.jinja"
# What the stack leaves to whoever copies it: a consumer of the queue.
LEFT_TO_OTHERS = "alarm OrdersQueue: no alarm watches AWS/SQS ApproximateNumberOfMessagesVisible"


def says(text: str, file: Path) -> list[str]:
    file.write_text(text)
    return list(map(str, violations(cloudformation.read(file))))


def test_the_queues_of_a_subscriber_allow_its_rule_before_the_rule_exists(tmp_path: Path) -> None:
    """B37."""
    text = COPIED.read_text().replace("{{ project_name }}", "orders")
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
