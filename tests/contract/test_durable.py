"""A durable function keeps its executions, their versions and their failures."""

from typing import Any

import pytest
from contract.changes import changed
from contract.check import violations
from contract.examples import (
    alarm,
    allow,
    dead_letters,
    function,
    get,
    ref,
    resource,
    template,
)


def durable() -> dict[str, Any]:
    """Return a function that starts the executions of another one."""
    version = resource("AWS::Lambda::Version", FunctionName=ref("Order"))
    return template(
        function("Place", allow("lambda:InvokeFunction", ref("OrderLive"))),
        function(
            "Order",
            allow("sqs:SendMessage", get("Failed")),
            DurableConfig={"ExecutionTimeout": 3600, "RetentionPeriodInDays": 30},
            DeadLetterConfig={"TargetArn": get("Failed")},
        ),
        dead_letters("Failed"),
        {
            "OrderVersion": {**version, "DeletionPolicy": "Retain"},
            "OrderLive": resource(
                "AWS::Lambda::Alias",
                FunctionName=ref("Order"),
                FunctionVersion=get("OrderVersion", "Version"),
                Name="live",
            ),
            "OrderInvokes": resource(
                "AWS::Lambda::EventInvokeConfig",
                FunctionName=ref("Order"),
                Qualifier="live",
                MaximumRetryAttempts=0,
                MaximumEventAgeInSeconds=3600,
            ),
            "OrderUnkept": alarm("AWS/Lambda", "DeadLetterErrors", "FunctionName", ref("Order")),
        },
    )


def test_a_durable_function_that_keeps_everything_is_right() -> None:
    assert violations(durable()) == []


def test_an_execution_keeps_its_version() -> None:
    """Fact O72: https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html."""
    deleted = durable()
    deleted["Resources"]["OrderVersion"]["DeletionPolicy"] = "Delete"

    assert list(map(str, violations(deleted))) == [
        (
            "durable OrderVersion: DeletionPolicy is Delete, but must be Retain: "
            "executions that are under way need it"
        )
    ]


def test_a_durable_function_is_invoked_by_a_qualifier() -> None:
    """Fact O73: https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html."""
    unqualified = durable()
    place = unqualified["Resources"]["PlaceRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    place["Statement"][-1]["Resource"] = get("Order")

    assert "durable PlaceRole: may invoke Order without a qualifier, which Lambda refuses" in map(
        str, violations(unqualified)
    )


def test_only_a_dead_letter_queue_hears_of_a_failed_execution() -> None:
    """Fact O74: https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html."""
    kept_elsewhere = durable()
    resources = kept_elsewhere["Resources"]
    del resources["Order"]["Properties"]["DeadLetterConfig"]
    failed = {"OnFailure": {"Destination": get("Failed")}}
    resources["OrderInvokes"]["Properties"]["DestinationConfig"] = failed

    says = "DeadLetterConfig must name a queue: no destination hears of its executions"
    assert f"durable Order: {says}" in map(str, violations(kept_elsewhere))


@pytest.mark.parametrize(
    ("name", "value", "most"),
    [("ExecutionTimeout", 31_622_401, "31622400"), ("RetentionPeriodInDays", 91, "90")],
)
def test_an_execution_is_limited(name: str, value: int, most: str) -> None:
    """Fact O70: https://docs.aws.amazon.com/lambda/latest/dg/durable-configuration.html."""
    template = changed(durable(), f"Order.DurableConfig.{name}", value)

    assert list(map(str, violations(template))) == [
        f"durable Order: {name} is {value}, but must be from 1 to {most}"
    ]
