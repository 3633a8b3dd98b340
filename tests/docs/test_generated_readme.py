"""What only a generated README can tell of AWS, it tells."""

import re
from pathlib import Path

import pytest
from golden import golden_variants
from rendering import kept_from, render_project, template
from variants import Variant, all_variants, topology_of

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.compiler import graph
from sls_patterns_cli.cli import explaining
from sls_patterns_cli.dashboards.reading import dashboards

DASHBOARD = re.compile(r"CloudWatch: .* and a dashboard \| \$([\d.]+) \|")
WATCHED = re.compile(r"CloudWatch: (\d+) alarms on (\d+) metrics \| \$([\d.]+) \|")
ALARM = re.compile(r"(…?)([A-Za-z]+Alarm)\b")
ROW = re.compile(r"^\| `(\w+Alarm)` \| (page|ticket) \| .+ \| .+ \|$", re.MULTILINE)
PRICED = [v for v in all_variants() if (v.runtime, v.iac) == ("python", "sam")]


MOST_LINES = 150
MOST_WORDS = 2_250
"""Of one variant; the defaults of the patterns have MEAN_WORDS at most, half of what they had."""
MEAN_WORDS = 1_550
LONGEST = 863
"""Characters of a line: the longest when READMEs had twice as many words."""
NAMED = re.compile(r"sls-patterns explain ([a-z][a-z-]*)")


def readme_of(folder: Path, **answers: str) -> str:
    """Return the README of a new project, in one line."""
    made = render_project(folder / "project", **answers)
    return " ".join((made / "README.md").read_text().split())


def explained(readme: str) -> str:
    """Return a README and each page that it names, in one line: what its reader is told."""
    pages = [explaining.page(topic) for topic in dict.fromkeys(NAMED.findall(readme))]
    return " ".join(" ".join((readme, *pages)).split())


def told_of(folder: Path, **answers: str) -> str:
    """Return what a new project tells its reader, in one line."""
    return explained(readme_of(folder, **answers))


@pytest.mark.parametrize("pattern", [each.slug for each in catalog.patterns()])
def test_a_readme_is_short_and_names_only_pages_that_there_are(pattern: str) -> None:
    """Not of a datastore that no proof has shown: what is not verified takes room to say."""
    for variant in golden_variants(catalog.pattern(pattern)):
        text = (kept_from(template(), **variant.answers) / "README.md").read_text()
        lines = text.splitlines()

        assert {*NAMED.findall(text)} <= {*explaining.names()}, variant
        if variant.is_local:
            assert len(lines) <= MOST_LINES, variant
            assert len(text.split()) <= MOST_WORDS, variant
            assert max(map(len, lines)) <= LONGEST, variant


def test_the_defaults_have_half_of_the_words_that_they_had() -> None:
    readmes = [
        (kept_from(template(), pattern=each.slug) / "README.md").read_text()
        for each in catalog.patterns()
    ]

    assert sum(len(each.split()) for each in readmes) <= MEAN_WORDS * len(readmes)


def test_each_page_is_named_by_a_readme_and_no_readme_has_to_be_read_for_its_order() -> None:
    wanted = ["## Try it", "## Layout", "## Deploy", "## Alarms", "## What it costs"]
    named: set[str] = set()
    for pattern in catalog.patterns():
        for variant in golden_variants(pattern):
            text = (kept_from(template(), **variant.answers) / "README.md").read_text()
            named |= {*NAMED.findall(text)}
            found = [line for line in text.splitlines() if line in {*wanted, "## First changes"}]
            assert found == [*wanted, "## First changes"], variant
            assert text.index("```mermaid") < text.index("## Try it"), variant

    assert named == {*explaining.names()}


@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_the_readme_of_an_internal_api_tells_who_may_call(iac: str, tmp_path: Path) -> None:
    """Fact A23: https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html."""
    readme = told_of(tmp_path, pattern="internal-api", iac=iac)

    assert "need permission on both sides: the same policy there, and here the parameter" in readme
    assert "A role must exist before the deployment" in readme
    assert "If a role is deleted and created again, AWS treats it as a different role" in readme


@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_the_readme_of_a_project_with_a_token_tells_what_aws_does(iac: str, tmp_path: Path) -> None:
    """Facts J10 to J12."""
    readme = told_of(tmp_path, pattern="circuit-breaker", iac=iac)

    assert "as plain text; the console suggests JSON, which is not sent" in readme
    assert "then CloudFormation generates another" in readme
    assert "If the stack is deleted, so is the secret, and at once" in readme


@pytest.mark.parametrize("topology", ["http-api", "rest-api"])
def test_the_readme_of_an_api_tells_that_its_limits_are_targets(
    topology: str, tmp_path: Path
) -> None:
    """Fact O2."""
    readme = told_of(tmp_path, pattern="simple-web-service", topology=topology)

    assert "targets, not guaranteed ceilings" in readme


@pytest.mark.parametrize(("topology", "status"), [("http-api", 503), ("rest-api", 500)])
def test_the_readme_tells_what_optional_parameters_do(
    topology: str, status: int, tmp_path: Path
) -> None:
    """Facts A5 and O3."""
    answers = {"pattern": "simple-web-service", "datastore": "aurora-postgresql"}
    answers["parameters"] = "[concurrency, capacity]"
    readme = told_of(tmp_path, **answers, topology=topology)

    assert (
        f"A call beyond what is reserved gets {status}, and counts for `ApiErrorsAlarm`" in readme
    )
    assert "Lambda keeps 100 for all functions of the account that reserve none" in readme
    assert "`CatalogReservedConcurrency` (0)" in readme
    assert "`ProductsMinCapacity` (0)" in readme


@pytest.mark.parametrize(
    ("datastore", "told"),
    [
        ("dynamodb", "Who deploys needs `kms:CreateGrant` and `kms:DescribeKey`"),
        (
            "aurora-postgresql",
            "A database, a cache, a warehouse, a delivery stream and an event bus keep",
        ),
    ],
)
def test_the_readme_tells_who_needs_a_key_beside_the_stack(
    datastore: str, told: str, tmp_path: Path
) -> None:
    """Facts O20 and O25."""
    answers = {"pattern": "frugal-consumer", "datastore": datastore, "parameters": "[kms]"}
    readme = told_of(tmp_path, **answers)

    assert told in readme
    assert "who redrives needs `kms:Decrypt` and `kms:GenerateDataKey` as well" in readme


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (
            {"pattern": "simple-web-service", "datastore": "aurora-postgresql"},
            ["A database cannot move to another VPC", "a route to S3, by its gateway endpoint"],
        ),
        (
            {"pattern": "circuit-breaker", "datastore": "elasticache-valkey"},
            ["Other subnets would replace the cache", "a route to a NAT gateway"],
        ),
        (
            {"pattern": "streamer", "datastore": "redshift-serverless"},
            ["three public subnets in three Availability Zones, each with 37 free addresses"],
        ),
    ],
)
def test_the_readme_tells_what_an_existing_vpc_needs(
    answers: dict[str, str], told: list[str], tmp_path: Path
) -> None:
    """Facts A15, O17 and T1."""
    readme = told_of(tmp_path, **answers, parameters="[vpc]")

    assert "Set them at the first deployment" in readme
    assert [each for each in told if each not in readme] == []


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (
            {"pattern": "simple-web-service"},
            [
                "Terraform removes that rule if its configuration has the rules",
                "nor can a member of such a user",
                "RDS Proxy is not supported",
                "`ProductsClusterCapacityAlarm` is left out",
            ],
        ),
        (
            {"pattern": "read-heavy-reporting-engine", "iac": "cdk", "dashboard": "true"},
            [
                "a second instance: without one, its reader endpoint leads to the writer",
                "`SalesClusterCapacityAlarm` is not on it, although it is in the picture",
            ],
        ),
    ],
)
def test_the_readme_tells_what_an_existing_cluster_needs(
    answers: dict[str, str], told: list[str], tmp_path: Path
) -> None:
    """Facts O33 and O35."""
    database = {"datastore": "aurora-postgresql", "parameters": "[cluster]"}
    readme = told_of(tmp_path, **answers, **database)

    assert "With `VpcId` and all of its subnets set" in readme
    assert [each for each in told if each not in readme] == []


@pytest.fixture(scope="module", params=["python", "typescript"])
def readme(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The README of a project with a database, in one line."""
    answers = {"pattern": "simple-web-service", "datastore": "aurora-postgresql"}
    return told_of(tmp_path_factory.mktemp("readme"), **answers, runtime=request.param)


@pytest.mark.parametrize(
    ("topology", "told"),
    [
        pytest.param(
            "scheduled", "Lambda keeps 100 executions for all functions of the account", id="A5"
        ),
        pytest.param("native", "first 120,000 messages", id="B26"),
        pytest.param(
            "native", "to the end of the queue, after newer messages of the same account", id="B25"
        ),
        pytest.param("native", "at most the ten oldest entries of each account", id="B33"),
    ],
)
def test_the_readme_of_a_project_with_a_fifo_queue_tells_what_aws_does(
    topology: str, told: str, tmp_path: Path
) -> None:
    assert told in told_of(tmp_path, pattern="fifoer", topology=topology)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        pytest.param("frugal-consumer", 1, id="X20"),
        pytest.param("fifoer", 0, id="X20-fifo"),
        pytest.param("internal-handoff", 0, id="X20-lambda"),
    ],
)
def test_the_readme_tells_when_a_message_of_a_standard_queue_expires(
    pattern: str, told: int, tmp_path: Path
) -> None:
    expires = "expires 14 days after it was first sent, not 14 days after it failed"

    assert readme_of(tmp_path, pattern=pattern).count(expires) == told


@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_the_readme_of_a_project_with_a_filter_pattern_tells_how_to_change_it(
    iac: str, tmp_path: Path
) -> None:
    """Fact D8."""
    readme = told_of(tmp_path, pattern="distributed-trigger", topology="cloudwatch-logs", iac=iac)

    assert "A changed default has no effect on a stack that is already deployed" in readme


@pytest.mark.parametrize(
    "told",
    [
        pytest.param("nobody has invoked for 14 days", id="A16-idle"),
        pytest.param("its next invocation fails once", id="A16-first-invocation"),
        pytest.param("Deleting the stack takes 20 to 45 minutes", id="A16-deletion"),
        pytest.param("remove the old form in a later deployment", id="B2"),
    ],
)
def test_the_readme_of_a_project_with_a_database_tells_what_aws_does(
    told: str, readme: str
) -> None:
    assert told in readme


@pytest.mark.parametrize("iac", ["sam", "cdk"])
@pytest.mark.parametrize(
    "told",
    [
        pytest.param("its next invocation fails once", id="A16-first-invocation"),
        pytest.param("Deleting the stack takes 20 to 45 minutes", id="A16-deletion"),
        pytest.param("A function in a VPC has no public address", id="T1"),
        pytest.param("because a zone has no ElastiCache Serverless", id="T5"),
        pytest.param("one NAT gateway, in one zone", id="one-zone"),
        pytest.param("$42.63 a month before the first call", id="cost"),
    ],
)
def test_the_readme_of_a_project_with_its_state_in_a_cache_tells_what_aws_does(
    told: str, iac: str, tmp_path: Path
) -> None:
    answers = {"pattern": "circuit-breaker", "datastore": "elasticache-valkey", "iac": iac}

    assert told in told_of(tmp_path, **answers)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param("**exactly** as in the `iss` claim of its tokens", id="N1"),
        pytest.param("Access tokens of Cognito have none", id="N2"),
        pytest.param("the deployment fails if it cannot", id="N4"),
        pytest.param("may keep the keys of the provider for two hours", id="N5"),
        pytest.param("issued in the future is refused, and AWS documents no leeway", id="N6"),
    ],
)
def test_the_readme_of_an_api_that_checks_tokens_tells_what_aws_does(
    told: str, tmp_path: Path
) -> None:
    assert told in told_of(tmp_path, pattern="gatekeeper", topology="jwt")


@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_the_readme_of_a_rest_api_that_checks_tokens_tells_how_long_keys_are_used(
    runtime: str, tmp_path: Path
) -> None:
    """Facts N5 and N9: the authorizer uses keys for as long as API Gateway's own."""
    answers = {"pattern": "simple-web-service", "topology": "rest-api", "auth": "jwt"}
    readme = told_of(tmp_path, runtime=runtime, **answers)

    assert "uses the keys that it has for up to two hours" in readme
    assert "is refused within 15 minutes, unless the provider fails" in readme
    assert "With a token that is not valid, or has not the scope of the route, it is 403" in readme


@pytest.mark.parametrize(
    ("topology", "told"),
    [
        pytest.param("rest-api", "renamed to `x-amzn-Remapped-…`", id="G4"),
        pytest.param("rest-api", "`X-HTTP-Method-Override` replaces the method", id="B10"),
        pytest.param("http-api", "`%2F` becomes `/`, and a path with an encoded `?` ends", id="G5"),
    ],
)
def test_the_readme_of_a_strangler_says_what_an_api_changes(
    topology: str, told: str, tmp_path: Path
) -> None:
    assert told in told_of(tmp_path, pattern="strangler", topology=topology)


@pytest.mark.parametrize(
    ("pattern", "topology", "told"),
    [
        pytest.param("notifier", "eventbridge", "sets one message group for all", id="D2"),
        pytest.param("notifier", "sns", "`version: [1]` never does", id="D3"),
        pytest.param("notifier", "sns", "has more than ten attributes", id="B13-attributes"),
        pytest.param("notifier", "sns", "up to 15 minutes to have an effect", id="B13-filter"),
        pytest.param("notifier", "sns", "is read at deployment only", id="D6"),
        pytest.param("eventually-consistent", "outbox", "reads the order again", id="S4"),
        pytest.param("eventually-consistent", "outbox", "makes another change", id="S3"),
        pytest.param("eventually-consistent", "outbox", "do not keep it", id="S6"),
        pytest.param("distributed-trigger", "cloudwatch-logs", "skips lines logged", id="B9"),
        pytest.param("distributed-trigger", "s3-events", "takes about five minutes", id="D5"),
    ],
)
def test_the_readme_of_a_project_that_publishes_tells_what_aws_does(
    pattern: str, topology: str, told: str, tmp_path: Path
) -> None:
    assert told in told_of(tmp_path, pattern=pattern, topology=topology)


def test_the_readme_of_a_project_that_puts_into_firehose_tells_what_is_lost(
    tmp_path: Path,
) -> None:
    """Fact Q6: https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html."""
    readme = told_of(tmp_path, pattern="streamer", topology="direct", datastore="s3")

    assert "24 hours, and then **loses the events**" in readme
    assert "`BatchesDeliveryStreamSuccessAlarm`" in readme


@pytest.mark.parametrize("topology", ["kinesis", "direct"])
def test_the_readme_of_a_project_that_stores_events_by_the_hour_says_which(
    topology: str, tmp_path: Path
) -> None:
    """Fact L9: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html."""
    readme = told_of(tmp_path, pattern="streamer", topology=topology, datastore="s3")

    assert "in which the oldest event of the object arrived" in readme


@pytest.mark.parametrize(
    ("topology", "told"),
    [
        pytest.param("express", "each execution first claims the order in the item", id="R9"),
        pytest.param("standard", "Never use an id again", id="R10"),
        pytest.param("standard", "reports throttling and a missing permission as 400", id="C11"),
    ],
)
def test_the_readme_of_a_state_machine_tells_what_aws_does(
    topology: str, told: str, tmp_path: Path
) -> None:
    assert told in told_of(tmp_path, pattern="state-machine", topology=topology)


@pytest.mark.parametrize("variant", all_variants(), ids=str)
def test_the_readme_names_each_alarm_of_the_stack_and_no_other(
    variant: Variant, tmp_path: Path
) -> None:
    readme = (render_project(tmp_path / "project", **variant.answers) / "README.md").read_text()
    declared = catalog.pattern(variant.pattern)
    vocabulary = catalog.vocabulary()
    datastore = vocabulary.datastores[variant.datastore]
    compiled = graph(declared, topology_of(variant), vocabulary, datastore)
    alarms = {alarm["id"]: alarm["tier"] for alarm in compiled.alarms}

    assert dict(ROW.findall(readme)) == alarms
    for suffix, name in ALARM.findall(readme):
        assert name in alarms or (suffix and any(each.endswith(name) for each in alarms)), name


@pytest.mark.parametrize("variant", PRICED, ids=str)
def test_the_alarms_of_the_costs_are_those_of_the_template(
    variant: Variant, tmp_path: Path
) -> None:
    """Each metric of an alarm costs $0.10 a month: https://aws.amazon.com/cloudwatch/pricing/."""
    project = render_project(tmp_path / "project", **variant.answers)

    row = WATCHED.search((project / "README.md").read_text())

    assert row is not None
    template = (project / "template.yaml").read_text()
    assert int(row[1]) == template.count("Type: AWS::CloudWatch::Alarm")
    metrics = template.count("MetricStat: ") + template.count("\n      MetricName: ")
    assert int(row[2]) == metrics
    assert row[3] == f"{metrics * 0.1:.2f}"


@pytest.mark.parametrize("topology", ["standard", "express"])
def test_the_readme_counts_the_dashboard_and_its_metrics(topology: str, tmp_path: Path) -> None:
    """Fact Z6: https://aws.amazon.com/cloudwatch/pricing/."""
    answers = {"pattern": "state-machine", "topology": topology}
    without = render_project(tmp_path / "without", **answers)
    project = render_project(tmp_path / "with", **answers, dashboard="true")
    texts = [(each / "README.md").read_text() for each in (without, project)]

    shown = [board.body for board in dashboards(project / "template.yaml")]
    metrics = {
        (each.namespace, each.name, each.dimensions)
        for body in shown
        for widget in body.widgets
        for each in widget.metrics
    }
    alone, together = WATCHED.search(texts[0]), DASHBOARD.search(texts[1])

    assert f"It shows {len(metrics)} metrics" in texts[1]
    assert ("if they show at most 50 metrics" in texts[1]) == (len(metrics) <= 50)
    assert alone
    assert together
    assert float(together[1]) == pytest.approx(float(alone[3]) + 3)
    totals = [float(re.findall(r"\*\*together\*\* \| \*\*\$([\d.]+)", text)[0]) for text in texts]
    assert totals[1] == pytest.approx(totals[0] + 3)


@pytest.mark.parametrize(
    ("pattern", "topology", "tracing", "says"),
    [
        ("scalable-webhook", "function", "none", "as `message_trace_id` in the lines about one"),
        ("scalable-webhook", "function", "xray", "An HTTP API sends none; a trace begins behind"),
        ("state-machine", "standard", "none", "look for the name of the execution"),
        ("eventually-consistent", "streams", "xray", "ends at a stream, at the stream of a table"),
    ],
)
def test_the_readme_tells_how_to_follow_a_request(
    tmp_path: Path, pattern: str, topology: str, tracing: str, says: str
) -> None:
    """Facts Y2, Y6 and Y8."""
    answers = {"pattern": pattern, "topology": topology, "tracing": tracing}
    assert says in told_of(tmp_path, **answers)


@pytest.mark.parametrize("variant", all_variants(), ids=str)
def test_the_first_changes_name_only_what_the_project_has(variant: Variant) -> None:
    project = kept_from(template(), **variant.answers)
    section = (project / "README.md").read_text().partition("\n## First changes\n")[2]
    changes = re.findall(r"^- .+$", section.partition("\n## ")[0], re.MULTILINE)
    makefile = (project / "Makefile").read_text()

    assert len(changes) == (3 if variant.is_local else 2)  # a project without proofs gets none
    for change in changes:
        named = [each for each in re.findall(r"`([^`]+)`", change) if "NAME" not in each]
        files = [file.read_text() for each in named if (file := project / each).is_file()]
        for each in named:
            target = each.startswith("make ") and f"\n{each.removeprefix('make ')}:" in makefile
            found = target or (project / each).exists() or any(each in file for file in files)
            assert found, f"{each} in {change}"
