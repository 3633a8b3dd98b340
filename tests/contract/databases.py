"""What must hold of a database and of the functions that use it."""

from collections.abc import Iterator

from contract.stack import Resource, Stack
from contract.violations import Violation, is_but

CLUSTER = "AWS::RDS::DBCluster"
INSTANCE = "AWS::RDS::DBInstance"


def database_violations(stack: Stack) -> Iterator[Violation]:
    """Say where the stack falls short of what its databases need."""
    for instance in stack.of_type(INSTANCE):
        yield from _version(stack, instance)


def _version(stack: Stack, instance: Resource) -> Iterator[Violation]:
    """A minor version that is both pinned and upgraded drifts: later deployments downgrade it.

    One instance without automatic upgrades keeps the whole cluster from them.
    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_UpgradeDBInstance.Upgrading.html
    """
    cluster = stack.named(instance.get("DBClusterIdentifier"), CLUSTER)
    pinned = cluster is not None and "." in str(cluster.get("EngineVersion"))
    upgraded = instance.get("AutoMinorVersionUpgrade")
    if cluster and pinned and upgraded not in (False, "false"):
        must = f"false, since {cluster.name} pins version {cluster.get('EngineVersion')}"
        yield is_but("version", instance.name, "AutoMinorVersionUpgrade", upgraded, must)
