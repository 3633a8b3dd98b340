"""An update changes how a queue ends what fails only together with code that names poison."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_patterns_cli.cloudformation.document import read


@dataclass(frozen=True)
class Ends:
    """What becomes of the messages of a queue that a function of the stack consumes."""

    receives: int
    visibility: int
    timeout: int
    batch: int
    sends: bool
    """Whether the function may send messages to the queue's dead-letter queue, and knows it."""


def ends(template: Path) -> dict[str, Ends]:
    """Return how each queue of SAM's template ends that a function consumes, by logical id."""
    resources = read(template)["Resources"]
    return dict(_ends(resources))


def _ends(resources: dict[str, Any]) -> Iterator[tuple[str, Ends]]:
    for name, queue in resources.items():
        policy = queue.get("Properties", {}).get("RedrivePolicy")
        if queue["Type"] != "AWS::SQS::Queue" or policy is None:
            continue
        for logical_id, function in resources.items():
            if function["Type"] != "AWS::Serverless::Function":
                continue
            facts = function["Properties"]
            mapping = [
                each["Properties"]
                for each in resources.values()
                if each["Type"] == "AWS::Lambda::EventSourceMapping"
                and _names(each["Properties"]["EventSourceArn"], name)
                and _names(each["Properties"]["FunctionName"], logical_id)
            ]
            allowed = [
                statement
                for each in facts.get("Policies", [])
                for statement in each.get("Statement", [])
            ]
            if not mapping and not any(
                "sqs:ReceiveMessage" in each["Action"] and _names(each["Resource"], name)
                for each in allowed
            ):
                continue
            end = policy["deadLetterTargetArn"]
            yield (
                name,
                Ends(
                    policy["maxReceiveCount"],
                    queue["Properties"]["VisibilityTimeout"],
                    facts["Timeout"],
                    mapping[0]["BatchSize"] if mapping else 1,
                    any(
                        "sqs:SendMessage" in each["Action"] and each["Resource"] == end
                        for each in allowed
                    ),
                ),
            )


def _names(reference: object, resource: str) -> bool:
    return f'"{resource}"' in json.dumps(reference) or f'"{resource}.' in json.dumps(reference)
