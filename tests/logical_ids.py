"""The logical ids that a deployed stack cannot lose: a golden file for each pattern.

CloudFormation makes what has another id anew before it removes the old one. So a mapping, filter,
parameter or log group of a deployed stack "already exists" (fact A10 of docs/aws-facts.md). What
holds data or has an address is replaced by an empty one.
"""

from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from contract.stack import load
from golden import GOLDEN, render_all
from synthesis import template_files
from variants import Variant, variants_of

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.model import Pattern

IDS = GOLDEN / "logical-ids"
LASTING = {
    # "Already exists" under another id: https://github.com/aws/serverless-application-model/issues/2011
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Logs::LogGroup",
    "AWS::Logs::SubscriptionFilter",
    "AWS::SSM::Parameter",
    # Holds data or messages.
    "AWS::DynamoDB::Table",
    "AWS::Glue::Table",
    "AWS::Kinesis::Stream",
    "AWS::KinesisFirehose::DeliveryStream",
    "AWS::RDS::DBCluster",
    "AWS::RedshiftServerless::Namespace",
    "AWS::RedshiftServerless::Workgroup",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
    "AWS::SQS::Queue",
    # Has an address or a name that others use.
    "AWS::Athena::WorkGroup",
    "AWS::Glue::Database",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGatewayV2::Api",
    "AWS::SNS::Topic",
    "AWS::StepFunctions::StateMachine",
}


def ids_file(pattern: str) -> Path:
    return IDS / f"{pattern}.txt"


def logical_ids(pattern: Pattern, into: Path) -> str:
    """Return the lasting ids of every variant of the pattern, those of both runtimes together."""
    projects = render_all(variants_of(pattern), into)
    template_files(projects.values())
    stacks: dict[str, list[str]] = defaultdict(list)
    for variant, project in projects.items():
        resources = load(project)["Resources"]
        lines = sorted(
            f"  {resource['Type'].removeprefix('AWS::')} {name}\n"
            for name, resource in resources.items()
            if resource["Type"] in LASTING
        )
        stacks["".join(lines)].append(_stack(variant))
    return "".join(f"{', '.join(dict.fromkeys(of))}\n{ids}" for ids, of in stacks.items())


def _stack(variant: Variant) -> str:
    return f"{variant.topology}-{variant.iac}-{variant.datastore}"


def write() -> None:
    """Write the files, and remove those of patterns that are gone."""
    IDS.mkdir(parents=True, exist_ok=True)
    slugs = {pattern.slug for pattern in catalog.patterns()}
    with TemporaryDirectory() as folder:
        for slug in slugs:
            text = logical_ids(catalog.pattern(slug), Path(folder))
            ids_file(slug).write_text(text, newline="\n")
    for file in IDS.glob("*.txt"):
        if file.stem not in slugs:
            file.unlink()


if __name__ == "__main__":
    write()
