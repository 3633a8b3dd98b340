"""Nothing of a project that signs in to a third party writes what it sends into a trace.

AWS traces functions by itself and records no headers and bodies; only an SDK in the code, an
instrumentation layer or API Gateway's data trace would.
https://docs.aws.amazon.com/xray/latest/devguide/xray-services-lambda.html
"""

import re

import pytest
from rendering import kept_from, template
from variants import Variant, all_variants, topology_of

SIGNING = [
    pytest.param(variant, id=str(variant))
    for variant in all_variants()
    if variant.answers.get("external_auth") != "none"
    and any("signs_in_to" in edge.attributes for edge in topology_of(variant).edges)
]
WRITES_INTO_TRACES = re.compile(
    r"xray[-_]sdk|opentelemetry|powertools/tracer|\bTracer\b|AWS_LAMBDA_EXEC_WRAPPER"
    r"|Layers:|layers[=:]|DataTraceEnabled|data_trace_enabled",
    re.IGNORECASE,
)


@pytest.mark.parametrize("variant", SIGNING)
def test_nothing_writes_a_credential_into_a_trace(variant: Variant) -> None:
    project = kept_from(template(), **variant.answers)

    files = [
        file
        for file in project.rglob("*")
        if file.suffix in {".py", ".ts", ".yaml", ".json", ".txt", ".toml"}
    ]
    found = [
        f"{file.relative_to(project)}: {line}"
        for file in files
        for line in file.read_text().splitlines()
        if WRITES_INTO_TRACES.search(line)
    ]

    assert len(files) > 20
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "aws-xray-sdk==2.14.0",
        '  "@opentelemetry/api": "1.9.0",',
        "from aws_lambda_powertools import Logger, Tracer",
        "          DataTraceEnabled: true",
        "          AWS_LAMBDA_EXEC_WRAPPER: /opt/otel-instrument",
    ],
)
def test_what_would_is_known(line: str) -> None:
    assert WRITES_INTO_TRACES.search(line)
