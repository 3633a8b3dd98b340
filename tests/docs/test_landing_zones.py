"""The page about landing zones says what the rendered templates keep."""

import pytest
from landing_zones import CONTROLS, PAGE, page


@pytest.mark.exhaustive
def test_the_table_is_that_of_the_rendered_templates() -> None:
    assert PAGE.read_text() == page(), "run: make golden"


@pytest.mark.parametrize(
    ("control", "keeping", "breaking"),
    [
        ("CT.SQS.PR.1", {"RedrivePolicy": {"maxReceiveCount": 5}}, {}),
        (
            "CT.SQS.PR.1",
            {"RedriveAllowPolicy": {"redrivePermission": "allowAll"}},
            {"RedriveAllowPolicy": {"redrivePermission": "denyAll"}},
        ),
        ("CT.LAMBDA.PR.2", {"Principal": "*", "SourceArn": "arn"}, {"Principal": "*"}),
        ("CT.CLOUDWATCH.PR.2", {"RetentionInDays": 365}, {"RetentionInDays": 364}),
        (
            "CT.APIGATEWAY.PR.1",
            {
                "MethodSettings": [
                    {"HttpMethod": "*", "ResourcePath": "/*", "LoggingLevel": "ERROR"}
                ]
            },
            {"MethodSettings": [{"HttpMethod": "*", "ResourcePath": "/*"}]},
        ),
    ],
)
def test_a_control_tells_what_it_refuses(
    control: str, keeping: dict[str, object], breaking: dict[str, object]
) -> None:
    (checked,) = [each for each in CONTROLS if each.id == control]

    assert (bool(checked.keeps(keeping)), bool(checked.keeps(breaking))) == (True, False)
