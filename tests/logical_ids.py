"""The logical ids that a deployed stack cannot lose: a golden file for each pattern.

CloudFormation makes what has another id anew before it removes the old one. So a mapping, filter,
parameter or log group of a deployed stack "already exists" (fact A10 of docs/aws-facts.md). What
holds data or has an address is replaced by an empty one.
"""

from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import writing
from contract.stack import load
from golden import LOGICAL_IDS, VARIANTS, golden_folder, render_all
from kept import kept
from rendering import ROOT
from synthesis import template_files
from variants import Variant, variants_of

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.model import Pattern

HERE = Path(__file__).parent
DECIDE = (
    Path(__file__),
    HERE / "contract/stack.py",
    HERE / "synthesis.py",
    ROOT / "src/sls_patterns_cli/cloudformation",
    ROOT / "requirements.lock",
)
"""What decides the ids, beside the projects themselves, whose digests are golden."""
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
    return golden_folder(pattern) / LOGICAL_IDS


def logical_ids(pattern: Pattern, into: Path) -> str:
    """Return the lasting ids of every variant of the pattern, those of the same stacks together."""
    projects = render_all(variants_of(pattern), into)
    template_files(projects.values())
    variants: dict[str, list[Variant]] = defaultdict(list)
    for variant, project in projects.items():
        for name, resource in load(project)["Resources"].items():
            if resource["Type"] in LASTING:
                variants[f"{resource['Type'].removeprefix('AWS::')} {name}"].append(variant)
    of_stacks: dict[str, list[str]] = defaultdict(list)
    for lasting, having in sorted(variants.items()):
        of_stacks[_stacks(having, list(projects))].append(f"  {lasting}\n")
    return "".join(f"{stacks}\n{''.join(ids)}" for stacks, ids in of_stacks.items())


def _stacks(having: Collection[Variant], every: Collection[Variant]) -> str:
    """Return the stacks of variants, without a runtime where those of both have it."""
    if len(having) == len(every):
        return "all"
    names = dict[str, None]()
    for variant in having:
        both = [each for each in every if _stack(each) == _stack(variant)]
        names[_stack(variant) if set(both) <= set(having) else variant.options] = None
    return ", ".join(names)


def _stack(variant: Variant) -> str:
    return f"{variant.topology}-{variant.iac}-{variant.datastore}"


class _StaleError(Exception):
    """What was reviewed is not what the stacks have: it is nothing to keep."""


def write() -> None:
    """Write the files that differ; whose variants are as they were, was looked at before."""
    with TemporaryDirectory() as folder:
        for pattern in catalog.patterns():
            file = ids_file(pattern.slug)
            said = file.read_text() if file.exists() else ""
            look = (pattern.slug, file.with_name(VARIANTS), said, *DECIDE)
            with suppress(_StaleError), kept("logical ids", *look) as is_new:
                if is_new and writing.write(file, logical_ids(pattern, Path(folder))):
                    raise _StaleError


if __name__ == "__main__":
    write()
