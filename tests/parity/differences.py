"""Where flavours, and runtimes, may differ: each by name and with the reason.

Whatever else differs is a fault.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from parity.facts import Fact


@dataclass(frozen=True)
class Difference:
    """A fact that only one flavour has: `pattern` is a regular expression of the whole fact."""

    name: str
    flavour: str
    pattern: str
    reason: str

    def explains(self, flavour: str, fact: Fact) -> bool:
        return flavour == self.flavour and bool(re.fullmatch(self.pattern, str(fact)))


INVOKED_BY = r"\w+(:live)?: invoked by is "
"""How a permission begins, of a function or its alias."""

KNOWN = (
    Difference(
        name="created-by tags",
        flavour="sam",
        pattern=r".*: Tags\..*(createdBy.*|Value is SAM)",
        reason="the SAM transform marks what it has made; nothing reads the marks",
    ),
    Difference(
        name="permission for one method",
        flavour="sam",
        pattern=INVOKED_BY + r"apigateway\.amazonaws\.com from .*:\$\{\w+\}/\*/[A-Z]+/.*",
        reason="SAM permits the route's method and path",
    ),
    Difference(
        name="permission for one stage",
        flavour="cdk",
        pattern=INVOKED_BY + r"apigateway\.amazonaws\.com from .*:\$\{\w+\}/\w+/[A-Z]+/.*",
        reason="CDK permits the method and path of a REST API for its one stage only",
    ),
    Difference(
        name="permission for any method",
        flavour="cdk",
        pattern=INVOKED_BY + r"apigateway\.amazonaws\.com from .*:\$\{\w+\}/\*/\*/.*",
        reason="CDK permits the route's path whatever the method; only its routes lead there",
    ),
    Difference(
        name="payloads in logs",
        flavour="cdk",
        pattern=r"stage of \$\{\w+\}: MethodSettings\.0\.DataTraceEnabled is False",
        reason="CDK says the default",
    ),
    Difference(
        name="permission for any authorizer",
        flavour="sam",
        pattern=INVOKED_BY + r"apigateway\.amazonaws\.com from .*:\$\{\w+\}/authorizers/\*",
        reason="SAM permits each authorizer of the API; there is one",
    ),
    Difference(
        name="permission for the authorizer",
        flavour="cdk",
        pattern=INVOKED_BY + r"apigateway\.amazonaws\.com from .*/authorizers/\$\{\w+\}",
        reason="CDK permits the authorizer by its id",
    ),
    Difference(
        name="permission for the authorizer of an API that is one document",
        flavour="cdk",
        pattern=INVOKED_BY + r"apigateway\.amazonaws\.com from .*:\$\{\w+\}/authorizers/\*",
        reason="the authorizer is no construct, so the stack permits it as SAM does",
    ),
    Difference(
        name="order of what rolls back",
        flavour="sam",
        pattern=r"\w+DeploymentGroup: AutoRollbackConfiguration\.Events\.[12] is \w+",
        reason="SAM lists an alarm before a request; both have all three",
    ),
    Difference(
        name="order of what rolls back, by CDK",
        flavour="cdk",
        pattern=r"\w+DeploymentGroup: AutoRollbackConfiguration\.Events\.[12] is \w+",
        reason="CDK lists a request before an alarm; both have all three",
    ),
    Difference(
        name="qualifier as text",
        flavour="sam",
        pattern=r"asynchronous invokes of \$\{\w+\}: Qualifier is live",
        reason="SAM knows the name of the alias",
    ),
    Difference(
        name="qualifier of an ARN",
        flavour="cdk",
        pattern=r"asynchronous invokes of \$\{\w+\}: Qualifier is \$\{\w+live\} split at :, part 7",
        reason="CDK takes the name out of the alias's ARN",
    ),
    Difference(
        name="warnings of an import",
        flavour="sam",
        pattern=r"\w+: FailOnWarnings is (True|true)",
        reason="SAM's API is imported from a definition; the authorizer of CDK is a resource",
    ),
    Difference(
        name="bundle named for its source",
        flavour="sam",
        pattern=r"\w+Function: Handler is [\w-]+\.handler",
        reason="SAM names a bundle of JavaScript for its entry point",
    ),
    Difference(
        name="bundle named index",
        flavour="cdk",
        pattern=r"\w+Function: Handler is index\.handler",
        reason="NodejsFunction names each bundle index; what is in it is the same",
    ),
    Difference(
        name="key of SNS by its alias",
        flavour="sam",
        pattern=r"\w+: KmsMasterKeyId is alias/aws/sns",
        reason="the alias is what AWS documents",
    ),
    Difference(
        name="key of SNS by its ARN",
        flavour="cdk",
        pattern=r"\w+: KmsMasterKeyId is arn:.*:alias/aws/sns",
        reason="CDK names an imported key by its ARN, which means the same",
    ),
    Difference(
        name="ARN of a log group, put together",
        flavour="sam",
        pattern=INVOKED_BY + r"logs\.amazonaws\.com from arn:.*:log-group:\$\{\w+\}:\*",
        reason="SAM puts the ARN together from the log group's name",
    ),
    Difference(
        name="ARN of a log group",
        flavour="cdk",
        pattern=INVOKED_BY + r"logs\.amazonaws\.com from \$\{\w+\.Arn\}",
        reason="CDK asks the log group for its ARN, which ends in :* too",
    ),
    Difference(
        name="route table of the second subnet",
        flavour="cdk",
        pattern=r"\w+Endpoint: RouteTableIds\.1 is \$\{PrivateRouteTable\}",
        reason="CDK gives each subnet a route table; SAM's one holds the same routes for both",
    ),
    Difference(
        name="public subnet of the second zone",
        flavour="cdk",
        pattern=r"VpcPublicSubnet2\w+: .*"
        r"|\w+Endpoint: RouteTableIds\.3 is \$\{VpcPublicSubnet2RouteTable\}",
        reason="CDK makes one for each zone; the NAT gateway is in the first, the other is empty",
    ),
    Difference(
        name="endpoints of public subnets",
        flavour="cdk",
        pattern=r"\w+Endpoint: RouteTableIds\.2 is \$\{PublicRouteTable\}",
        reason="CDK routes every subnet to gateway endpoints; in a public one nothing calls them",
    ),
    Difference(
        name="way out of a security group",
        flavour="cdk",
        pattern=r"\w+SecurityGroup: SecurityGroupEgress\.0\..*",
        reason="CDK writes down the rule that EC2 adds where none is given",
    ),
    Difference(
        name="way out over IPv6 of its own",
        flavour="sam",
        pattern=r"FunctionIpv6Egress: .*",
        reason="a released stack keeps the rule that EC2 has added: one beside it replaces none",
    ),
    Difference(
        name="way out over IPv6 with the others",
        flavour="cdk",
        pattern=r"FunctionSecurityGroup: SecurityGroupEgress\.1\..*",
        reason="CDK has all rules of a group that it makes in the group",
    ),
    Difference(
        name="tags of a network",
        flavour="cdk",
        pattern=r"(Vpc|Private\w+|Public\w+|\w*InternetGateway|Nat\w+|\w+Endpoint): Tags\..*",
        reason="CDK names the parts of a VPC by tags, by which it finds them in other stacks",
    ),
    Difference(
        name="defaults of a network",
        flavour="cdk",
        pattern=r"Vpc: InstanceTenancy is default"
        r"|\w+Endpoint: VpcEndpointType is Gateway"
        r"|(PrivateSubnet[AB]|PublicSubnet[ABC]?): MapPublicIpOnLaunch is False",
        reason="CDK writes down what EC2 does where nothing is said",
    ),
    Difference(
        name="protection that is passed",
        flavour="sam",
        pattern=r"\w+: DeletionProtection(Enabled)? is \$\{DeletionProtection\}",
        reason="the stack of the proofs is deployed without; SAM cannot tell it by its name",
    ),
    Difference(
        name="protection by the stack's name",
        flavour="cdk",
        pattern=r"\w+: DeletionProtection(Enabled)? is True",
        reason="CDK knows the stack's name, by which that of the proofs is told",
    ),
    Difference(
        name="digest that is passed",
        flavour="sam",
        pattern=r"CloudFormation => MigrateFunction: Digest is \$\{MigrationsDigest\}",
        reason="`make deploy` computes the digest of the migrations, which SAM cannot",
    ),
    Difference(
        name="traces by AWS's own policy",
        flavour="sam",
        pattern=r"\w+: managed policy is AWSXrayWriteOnlyAccess",
        reason="SAM gives it to each role that it makes for what sends traces; it also lets "
        "the role read sampling rules",
    ),
    Difference(
        name="traces by a statement",
        flavour="cdk",
        pattern=r"\w+: its role is allows xray:(PutTraceSegments|PutTelemetryRecords"
        r"|GetSampling(Rules|Targets)) on \*",
        reason="CDK lets a function send traces, and a state machine read sampling rules too",
    ),
    Difference(
        name="digest that is computed",
        flavour="cdk",
        pattern=r"CloudFormation => MigrateFunction: Digest is [0-9a-f]{64}",
        reason="CDK computes the digest of the migrations",
    ),
)

RUNTIMES = (
    Difference(
        name="interpreter of Python",
        flavour="python",
        pattern=r"\w+: Runtime is python3\.\d+",
        reason="it is the runtime",
    ),
    Difference(
        name="interpreter of TypeScript",
        flavour="typescript",
        pattern=r"\w+: Runtime is nodejs\d+\.x",
        reason="it is the runtime",
    ),
    Difference(
        name="handler in a package",
        flavour="python",
        pattern=r"\w+: Handler is \w+\.(handlers|authorizer)\.\w+\.handler",
        reason="a Python function is deployed as its sources are",
    ),
    Difference(
        name="handler in a bundle",
        flavour="typescript",
        pattern=r"\w+: Handler is [\w-]+\.handler",
        reason="esbuild makes one file of each function",
    ),
    Difference(
        name="what redis-py asks of a cache",
        flavour="python",
        pattern=r"\w+User: AccessString is .* \+command \+cluster\|slots",
        reason="it reads which commands there are, and where the slots are (fact J7)",
    ),
    Difference(
        name="what iovalkey asks of a cache",
        flavour="typescript",
        pattern=r"\w+User: AccessString is .* \+info \+cluster\|slots \+cluster\|info",
        reason="it checks that a node is ready, and reads where the slots are (fact J7)",
    ),
    Difference(
        name="source maps",
        flavour="typescript",
        pattern=r"\w+: Environment\.Variables\.NODE_OPTIONS is --enable-source-maps",
        reason="stack traces lead to the sources of a bundle only so",
    ),
    Difference(
        name="certificates in the package",
        flavour="python",
        pattern=r"\w+: Environment\.Variables\.PGSSLROOTCERT is /var/task/rds-ca\.pem",
        reason="psycopg brings no certificates of RDS",
    ),
    Difference(
        name="certificates of the runtime",
        flavour="typescript",
        pattern=r"\w+: Environment\.Variables\.NODE_EXTRA_CA_CERTS is /var/runtime/ca-cert\.pem",
        reason="Lambda's Node.js has those of RDS in a file",
    ),
)


def unexplained(facts: dict[str, set[Fact]], known: Iterable[Difference] = KNOWN) -> Iterator[str]:
    """Say what only one of two flavours has, unless a known difference explains it."""
    (one, its), (other, others) = facts.items()
    for flavour, only in ((one, its - others), (other, others - its)):
        for fact in sorted(only):
            if not any(difference.explains(flavour, fact) for difference in known):
                yield f"only {flavour} has {fact}"
