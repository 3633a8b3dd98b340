"""An Aurora PostgreSQL cluster is a PostgreSQL server that functions can connect to.

AWS: the cluster's endpoint is a server; with IAM database authentication users that have
`rds_iam` sign in with a token over TLS, the master user included.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-rds-dbcluster.html
Stopped, a cluster keeps its data and takes no connections until it is started.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-cluster-stop-start.html

Emulator: the endpoint is a name that nothing resolves. Here it is a server of ours, built without
TLS, so that functions that ask for TLS are told not to. How long they try to connect is divided, as
all waits are.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from ministack.services import rds
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator import timescale
from sls_patterns_cli.local.emulator.adapters import rely_on, replace
from sls_patterns_cli.local.emulator.datastores import postgresql

ENGINE = "aurora-postgresql"
TLS_MODE = "PGSSLMODE"

_servers: dict[str, postgresql.Server] = {}


def apply() -> None:
    rely_on(provisioners._rds_db_cluster_attrs, "701cc212278d")
    clusters = provisioners._RESOURCE_HANDLERS["AWS::RDS::DBCluster"]
    replace(clusters, "create", "9e68fe2442e4", _create)
    replace(clusters, "delete", "bb527bef2213", _delete)
    stop, start = _with_server(postgresql.Server.pause), _with_server(postgresql.Server.resume)
    replace(rds._ACTION_MAP, "StopDBCluster", "e3eaf44fae2a", stop)
    replace(rds._ACTION_MAP, "StartDBCluster", "b7b99e12925c", start)
    functions = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    replace(functions, "create", "8b2cf80e961d", _create_function)
    replace(functions, "update", "4855410e37d7", _update_function)


def _create(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_cluster(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        if properties.get("Engine") != ENGINE:
            raise ValueError(f"{properties.get('Engine')} is not served by the local stack")
        if properties.get("MasterUserAuthenticationType") != "iam-db-auth":
            raise ValueError(
                "the local stack knows only the MasterUserAuthenticationType iam-db-auth"
            )
        cluster, _ = create(logical_id, properties, stack)
        server = postgresql.start(
            properties.get("DatabaseName", "postgres"), properties["MasterUsername"]
        )
        _servers[cluster] = server
        record = rds._clusters[cluster]
        record.update(Endpoint=server.host, ReaderEndpoint=server.host, Port=server.port)
        return cluster, provisioners._rds_db_cluster_attrs(record)

    return create_cluster


def _delete(delete: Callable[..., Any]) -> Callable[..., Any]:
    def delete_cluster(cluster: str, properties: dict[str, Any]) -> Any:
        if server := _servers.pop(cluster, None):
            server.stop()
        return delete(cluster, properties)

    return delete_cluster


def _with_server(
    change: Callable[[postgresql.Server], None],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An action on a cluster that is one on its server, too."""

    def make(action: Callable[..., Any]) -> Callable[..., Any]:
        def act(parameters: dict[str, Any]) -> Any:
            answer = action(parameters)
            if answer[0] == HTTPStatus.OK:
                name = rds._p(parameters, "DBClusterIdentifier")
                cluster = rds._resolve_cluster_in_request_region(name)
                change(_servers[cluster["DBClusterIdentifier"]])
            return answer

        return act

    return make


def _create_function(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_function(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        return create(logical_id, _as_here(properties), stack)

    return create_function


def _update_function(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_function(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any
    ) -> Any:
        return update(physical_id, _as_here(old), _as_here(new), *rest)

    return update_function


def _as_here(properties: dict[str, Any]) -> dict[str, Any]:
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    changed = dict(variables)
    if TLS_MODE in variables:
        changed[TLS_MODE] = "disable"
    if timescale.CONNECTING in variables:
        patience = timescale.here().connecting(float(variables[timescale.CONNECTING]))
        changed[timescale.CONNECTING] = f"{patience:.3g}"
    if changed == variables:
        return properties
    return {**properties, "Environment": {"Variables": changed}}
