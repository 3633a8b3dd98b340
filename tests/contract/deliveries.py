"""What must hold of a Firehose delivery stream and of what puts records into it."""

import re
from collections.abc import Iterator

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack, find_all, references
from sls_patterns_cli.wiring.edges.apis import api_of, integrations
from sls_patterns_cli.wiring.model import DELIVERY
from sls_patterns_cli.wiring.policies import may

FROM_STREAM = "KinesisStreamAsSource"
BY_PUT = "DirectPut"
ACTION = ":firehose:action/"
ROWS = "IcebergDestinationConfiguration"
TABLE = "AWS::Glue::Table"
GLUE = "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:"
CREATED = {"MetadataOperation": "CREATE", "Version": "2"}
# https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html
COMMITTING = ("glue:GetDatabase", "glue:GetTable", "glue:UpdateTable")
DELETING = "s3:DeleteObject"
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_RetryOptions.html
LONGEST_RETRY = 7200
TIME = re.compile(r"!\{timestamp:[^}]*\}")
"""What Firehose replaces in a prefix."""
PARTITION = re.compile(r"\$\{\w+\}")
"""What Athena replaces in the template of a table's folders."""
POLICIES = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy")


def delivery_violations(stack: Stack) -> Iterator[Violation]:
    """Say where the stack falls short of what its delivery streams need."""
    for delivery in stack.of_type(DELIVERY):
        yield from _source(delivery)
        yield from _policies(stack, delivery)
        yield from _folders(stack, delivery)
        if delivery.get(ROWS):
            yield from _rows(delivery)
            yield from _table(stack, delivery)
    yield from _puts(stack)


def _source(delivery: Resource) -> Iterator[Violation]:
    """The type says what the source is; only what is put is encrypted by Firehose (facts Q1, Q2).

    https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html
    https://docs.aws.amazon.com/firehose/latest/dev/encryption.html
    """
    reads = bool(delivery.get("KinesisStreamSourceConfiguration"))
    given, must = delivery.get("DeliveryStreamType"), FROM_STREAM if reads else BY_PUT
    if given != must:
        yield is_but("delivery", delivery.name, "DeliveryStreamType", given, must)
    encryption = "DeliveryStreamEncryptionConfigurationInput"
    key = delivery.get(encryption, "KeyType")
    if reads and key:
        must = "left out: the stream that it reads is encrypted"
        yield is_but("delivery", delivery.name, encryption, key, must)
    if not reads and not key:
        yield is_but("delivery", delivery.name, encryption, key, "set")


def _policies(stack: Stack, delivery: Resource) -> Iterator[Violation]:
    """Firehose tries its role while it is created (fact Q3).

    https://github.com/aws/aws-cdk/issues/7236
    """
    before = stack.comes_after(delivery)
    acting = [stack.by_arn(arn) for arn in find_all(delivery.properties, "RoleARN")]
    for policy in stack.of_type(*POLICIES):
        roles = policy.get("Roles") or [policy.get("RoleName")]
        concerns = any(role in acting for role in map(stack.named, roles) if role)
        if concerns and policy.name not in before:
            says = f"may be created before {policy.name}, and is refused then"
            yield Violation("delivery", delivery.name, says)


def _folders(stack: Stack, delivery: Resource) -> Iterator[Violation]:
    """A table with computed partitions finds what is in their folders, and nothing else (fact O50).

    https://docs.aws.amazon.com/athena/latest/ug/partition-projection-setting-up.html
    """
    destination = delivery.get("ExtendedS3DestinationConfiguration") or {}
    bucket = stack.by_arn(destination.get("BucketARN"))
    for table in stack.of_type(TABLE):
        template = table.get("TableInput", "Parameters", "storage.location.template")
        if bucket is None or bucket.name not in references(template):
            continue
        looks = PARTITION.sub("*", stack.text(template).split("/", 3)[-1])
        writes = TIME.sub("*", str(destination.get("Prefix", "")))
        if looks != writes:
            says = f"looks into {looks}, but {delivery.name} writes into {writes}"
            yield Violation("delivery", table.name, says)


def _rows(delivery: Resource) -> Iterator[Violation]:
    """Rows are appended, retried for as long as it goes, and kept where they fail (O59, Y16).

    https://docs.aws.amazon.com/firehose/latest/APIReference/API_IcebergDestinationConfiguration.html
    """
    appends = delivery.get(ROWS, "AppendOnly")
    if appends not in (True, "true"):
        must = "true: only then Firehose scales by itself, and it cannot be set later"
        yield is_but("delivery", delivery.name, "AppendOnly", appends, must)
    retries = delivery.get(ROWS, "RetryOptions", "DurationInSeconds")
    if str(retries) != str(LONGEST_RETRY):
        yield is_but("delivery", delivery.name, "DurationInSeconds", retries, f"{LONGEST_RETRY}")
    backup = delivery.get(ROWS, "s3BackupMode")
    if backup != "FailedDataOnly":
        yield is_but("delivery", delivery.name, "s3BackupMode", backup, "FailedDataOnly")


def _table(stack: Stack, delivery: Resource) -> Iterator[Violation]:
    """The table is of this stack and of version 2, and the role may commit to it (O54, O55).

    https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-prereq.html
    """
    catalog = stack.text(delivery.get(ROWS, "CatalogConfiguration", "CatalogArn"))
    if catalog != f"{GLUE}catalog":
        must = "the catalog of the account, which needs no grants of Lake Formation"
        yield is_but("delivery", delivery.name, "CatalogArn", catalog, must)
    (named, *_) = delivery.get(ROWS, "DestinationTableConfigurationList") or [{}]
    table = stack.named(named.get("DestinationTableName"))
    database = stack.named(named.get("DestinationDatabaseName"))
    if table is None or database is None or table.type != TABLE:
        says = "must name a table and a database of this stack, which then come before it"
        yield Violation("delivery", delivery.name, says)
        return
    if table.get("OpenTableFormatInput", "IcebergInput") != CREATED:
        given = table.get("OpenTableFormatInput", "IcebergInput")
        yield is_but("delivery", table.name, "IcebergInput", given, str(CREATED))
    bucket = stack.by_arn(delivery.get(ROWS, "S3Configuration", "BucketARN"))
    place = stack.text(table.get("TableInput", "StorageDescriptor", "Location"))
    if bucket is None or not place.startswith(f"s3://${{{bucket.name}}}/"):
        must = "in the bucket that the delivery's role writes to"
        yield is_but("delivery", table.name, "Location", place, must)
    name = table.get("TableInput", "Name")
    role = stack.by_arn(delivery.get(ROWS, "RoleARN"), "AWS::IAM::Role")
    if bucket and not may(stack, role, DELETING, f"${{{bucket.name}.Arn}}/*"):
        yield Violation("delivery", delivery.name, f"its role must be allowed {DELETING}")
    own = f"${{{database.name}}}"
    for part in ("catalog", f"database/{own}", f"table/{own}/{name}"):
        for action in COMMITTING:
            if not may(stack, role, action, GLUE + part):
                says = f"its role must be allowed {action} on {part}"
                yield Violation("delivery", delivery.name, says)


def _puts(stack: Stack) -> Iterator[Violation]:
    """Only a delivery stream that reads no data stream can be put into (fact Q1).

    https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecord.html
    """
    for part, integration in integrations(stack):
        _, puts, action = stack.text(integration.get("uri")).partition(ACTION)
        if not puts:
            continue
        role = stack.by_arn(integration.get("credentials"), "AWS::IAM::Role")
        into = [each for each in stack.of_type(DELIVERY) if may(stack, role, _named(action), each)]
        api = api_of(stack, part).name
        if not into:
            says = f"its role must be allowed {_named(action)} on a delivery stream of this stack"
            yield Violation("delivery", api, says)
        for delivery in into:
            if delivery.get("KinesisStreamSourceConfiguration"):
                says = f"refuses what {api} puts into it, since it reads a data stream"
                yield Violation("delivery", delivery.name, says)


def _named(action: str) -> str:
    return f"firehose:{action}"
