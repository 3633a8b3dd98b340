"""Batches that a Redshift warehouse has not taken from Firehose: it loads them by their manifest.

Firehose delivers objects to S3, and copies them into a table. Of a copy that fails for good, it
leaves a manifest under `errors/manifests/`, which lists the objects.
https://docs.aws.amazon.com/firehose/latest/dev/retry.html
"""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from sls_patterns_cli.letters.letter import PROCESSED, Cause, Letter, Outcome, failed_again, kept
from sls_patterns_cli.letters.targets import name_of
from sls_patterns_cli.letters.ways.firehose import UndeliveredRecords
from sls_patterns_cli.letters.ways.way import Grant
from sls_patterns_cli.system import interrupts

REDSHIFT = "RedshiftDestinationConfiguration"
MANIFESTS = "errors/manifests/"

SERVERLESS = ".redshift-serverless."
LOOKS_EVERY = 1.0


class RefusedBatches(UndeliveredRecords):
    """The objects of a batch, as a manifest lists them; a warehouse that refuses them has none."""

    kind = "batches of a warehouse"

    def takes(self, letter: Letter) -> bool | None:
        return isinstance(letter.content, dict) and "entries" in letter.content

    def cause(self, letter: Letter) -> Cause:  # noqa: ARG002 (the manifest says nothing of it)
        return Cause("the warehouse did not take these objects")

    def payload(self, letter: Letter) -> Any:
        return [entry["url"] for entry in letter.content["entries"]]

    def send_back(self, letter: Letter) -> Outcome:
        destination = self._destination()
        copy = destination["CopyCommand"]
        manifest = f"s3://{self._bucket(destination)}/{letter.object_key}"
        source = f"FROM '{manifest}' IAM_ROLE default MANIFEST"
        sql = f"COPY {copy['DataTableName']} {source} {copy.get('CopyOptions', '')}".strip()
        address = urlsplit(destination["ClusterJDBCURL"].removeprefix("jdbc:"))
        if SERVERLESS not in str(address.hostname):
            return kept(f"only a serverless warehouse is told by this; tell yours: {sql}")
        workgroup = str(address.hostname).partition(".")[0]
        return self._execute(sql, workgroup, address.path.strip("/"))

    def grants(self) -> Iterator[Grant]:
        for action in (
            "redshift-data:DescribeStatement",
            "redshift-data:ExecuteStatement",
            "redshift-serverless:GetNamespace",
            "redshift-serverless:GetWorkgroup",
            "secretsmanager:GetSecretValue",
        ):
            yield action, "*"

    def _destination(self) -> dict[str, Any]:
        name = name_of(self.context.id(self.edge.declared_by))
        found = self.clients("firehose").describe_delivery_stream(DeliveryStreamName=name)
        destination, *_ = found["DeliveryStreamDescription"]["Destinations"]
        return dict(destination["RedshiftDestinationDescription"])

    def _bucket(self, destination: dict[str, Any]) -> str:
        return name_of(destination["S3DestinationDescription"]["BucketARN"])

    def _execute(self, sql: str, workgroup: str, database: str) -> Outcome:
        """Execute a statement as the administrator, whose secret Redshift keeps."""
        serverless, data = self.clients("redshift-serverless"), self.clients("redshift-data")
        found = serverless.get_workgroup(workgroupName=workgroup)["workgroup"]
        namespace = serverless.get_namespace(namespaceName=found["namespaceName"])["namespace"]
        secret = namespace.get("adminPasswordSecretArn")
        given = {"SecretArn": secret} if secret else {}
        begun = data.execute_statement(
            Sql=sql, WorkgroupName=workgroup, Database=database, **given
        )["Id"]
        while (told := data.describe_statement(Id=begun))["Status"] != "FINISHED":
            if told["Status"] in {"FAILED", "ABORTED"}:
                return failed_again(str(told.get("Error") or told["Status"]))
            with interrupts.allowed():
                time.sleep(LOOKS_EVERY)
        return PROCESSED
