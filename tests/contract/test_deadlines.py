"""The contract can fail: its rule for calls of AWS."""

from typing import Any

from contract import examples
from contract.changes import REMOVE, changed
from contract.check import violations
from contract.examples import allow, ref


def calling() -> dict[str, Any]:
    """Return a function that sends to a queue and reads a table."""
    sends = allow("sqs:SendMessage", examples.get("Jobs"))
    reads = allow("dynamodb:GetItem", examples.get("Books"))
    template = examples.template(
        examples.function("Work", sends, reads),
        examples.queue("Jobs"),
        {
            "Books": examples.resource(
                "AWS::DynamoDB::Table",
                DeletionProtectionEnabled=True,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )
        },
    )
    variables = {"JOBS": ref("Jobs"), "BOOKS": ref("Books"), "AWS_MAX_ATTEMPTS": "2"}
    template["Resources"]["Work"]["Properties"] |= {
        "Timeout": 18,
        "Environment": {"Variables": variables},
    }
    return template


def says(path: str, value: Any) -> list[str]:
    return list(map(str, violations(changed(calling(), path, value))))


def test_calls_that_end_in_time_keep_the_contract() -> None:
    assert violations(calling()) == []


def test_all_attempts_of_all_calls_end_before_the_function() -> None:
    """B19."""
    assert says("Work.Timeout", 17) == [
        "deadline Work: Timeout is 17, but must be at least 18: 2 calls, 2 attempts each"
    ]
    assert says("Work.Environment.Variables.AWS_MAX_ATTEMPTS", "3") == [
        "deadline Work: Timeout is 18, but must be at least 30: 2 calls, 3 attempts each"
    ]


def test_how_often_a_call_is_attempted_is_said() -> None:
    """B19."""
    assert says("Work.Environment.Variables.AWS_MAX_ATTEMPTS", REMOVE) == [
        (
            "deadline Work: AWS_MAX_ATTEMPTS is missing, but must be a number: "
            "the SDK's own default is not the same everywhere"
        )
    ]


def test_a_batch_has_time_for_more_than_one_record() -> None:
    """B19: with less, a slow first record would send the others back."""

    def says_of(timeout: int, batch_size: int) -> list[str]:
        stack = examples.e1()
        resources = stack["Resources"]
        resources |= examples.queue("Jobs")
        store = resources["Store"]["Properties"]
        store |= {
            "Timeout": timeout,
            "Environment": {"Variables": {"JOBS": ref("Jobs"), "AWS_MAX_ATTEMPTS": "2"}},
        }
        resources["Mapping"]["Properties"]["BatchSize"] = batch_size
        return [str(each) for each in violations(stack) if each.rule == "deadline"]

    assert says_of(14, 10) == []
    assert says_of(13, 10) == [
        (
            "deadline Store: Timeout is 13, but must be at least 9 + 5: "
            "the calls of a record, and of others before"
        )
    ]
    assert says_of(9, 1) == []


def waiting(**caller: Any) -> list[str]:
    """Say what is wrong with a function that invokes another by its alias, and waits."""
    asked = examples.sdk()["Resources"]
    template = examples.template(
        examples.function("Ask", allow("lambda:InvokeFunction", ref("QuoteLive"))), asked
    )
    resources = template["Resources"]
    resources["Quote"]["Properties"]["Timeout"] = 10
    resources["Ask"]["Properties"] |= {
        "Timeout": 12,
        "Environment": {"Variables": {"QUOTE_ALIAS_ARN": ref("QuoteLive")}},
        **caller,
    }
    return list(map(str, violations(template)))


def test_a_function_outlasts_the_one_that_it_waits_for() -> None:
    """Fact H1."""
    assert waiting() == []
    assert waiting(Timeout=10) == [
        "deadline Ask: Timeout is 10, but must be more than the 10 of Quote, which it waits for"
    ]


def test_a_function_may_invoke_the_alias_that_it_knows() -> None:
    """Fact A6: a permission on the function does not hold for its alias."""
    permitted = examples.function("Ask", allow("lambda:InvokeFunction", examples.get("Quote")))
    template = examples.template(permitted, examples.sdk()["Resources"])
    variables = {"QUOTE_ALIAS_ARN": ref("QuoteLive")}
    template["Resources"]["Ask"]["Properties"] |= {
        "Timeout": 12,
        "Environment": {"Variables": variables},
    }

    assert list(map(str, violations(template))) == [
        "deadline Ask: its role must be allowed lambda:InvokeFunction on QuoteLive"
    ]


def test_a_function_may_invoke_what_a_parameter_leads_it_to() -> None:
    arn = ref("QuoteFunctionArn")
    pattern = r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+"

    def says(*statements: Any) -> list[str]:
        template = examples.template(examples.function("Ask", *statements))
        template["Parameters"] = {"QuoteFunctionArn": {"Type": "String", "AllowedPattern": pattern}}
        variables = {"QUOTE_FUNCTION_ARN": arn}
        template["Resources"]["Ask"]["Properties"]["Environment"] = {"Variables": variables}
        return list(map(str, violations(template)))

    assert says(allow("lambda:InvokeFunction", arn)) == []
    assert says() == [
        "deadline Ask: its role must be allowed lambda:InvokeFunction on ${QuoteFunctionArn}"
    ]
