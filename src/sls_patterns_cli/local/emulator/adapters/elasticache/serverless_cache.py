"""A serverless cache is a Valkey server that functions can connect to.

AWS: `AWS::ElastiCache::ServerlessCache` is a cluster that takes nothing but TLS; its certificate is
one that every client trusts. Engine, subnets and key cannot be changed without replacing it, and it
must have a name, of at most 40 characters, so that a replacement needs another one.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticache-serverlesscache.html
https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateServerlessCache.html

Emulator: it does not know the type and refuses the template. Here the cache is a server of ours;
functions that are told of it are told to trust the authority of its certificate, too.
"""

import re
from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import EmulatorChangedError, replace
from sls_patterns_cli.local.emulator.datastores import valkey

TYPE = "AWS::ElastiCache::ServerlessCache"
NAME = re.compile(r"[a-z](?!.*--)[a-z0-9-]{0,38}[a-z0-9]")
TRUSTED = {"python": "SSL_CERT_FILE", "nodejs": "NODE_EXTRA_CA_CERTS"}
"""By the runtime of a function: the variable with the file of the authorities that it trusts."""

_servers: dict[str, valkey.Server] = {}


def apply() -> None:
    if TYPE in provisioners._RESOURCE_HANDLERS:
        raise EmulatorChangedError(f"the emulator knows {TYPE}")
    provisioners._RESOURCE_HANDLERS[TYPE] = {
        "create": _create,
        "update": _update,
        "delete": _delete,
    }
    functions = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    replace(functions, "create", "8b2cf80e961d", _create_function)
    replace(functions, "update", "4855410e37d7", _update_function)


def _create(_logical_id: str, properties: dict[str, Any], _stack: str) -> Any:
    name = properties.get("ServerlessCacheName", "")
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a cache: up to 40 of a-z, 0-9 and single hyphens")
    if name in _servers:
        raise ValueError(f"a cache with the name {name} already exists")
    if properties.get("Engine") != "valkey":
        raise ValueError(f"{properties.get('Engine')} is not served by the local stack")
    _servers[name] = valkey.start()
    return name, _attributes(name)


def _update(name: str, old: dict[str, Any], new: dict[str, Any], _stack: str) -> Any:
    for kept in ("ServerlessCacheName", "Engine", "SubnetIds"):
        if old.get(kept) != new.get(kept):
            raise ValueError(f"the local stack does not replace a cache whose {kept} changes")
    return name, _attributes(name)


def _delete(name: str, _properties: dict[str, Any]) -> None:
    if server := _servers.pop(name, None):
        server.stop()


def _attributes(name: str) -> dict[str, Any]:
    server = _servers[name]
    return {
        "ARN": f"arn:aws:elasticache:us-east-1:000000000000:serverlesscache:{name}",
        "Status": "AVAILABLE",
        "Endpoint.Address": server.host,
        "Endpoint.Port": str(server.port),
        "ReaderEndpoint.Address": server.host,
        "ReaderEndpoint.Port": str(server.port),
    }


def _create_function(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_function(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        return create(logical_id, _trusting(properties), stack)

    return create_function


def _update_function(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_function(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any
    ) -> Any:
        return update(physical_id, _trusting(old), _trusting(new), *rest)

    return update_function


def _trusting(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties of a function that trusts the cache, if it is told of one."""
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    told = [
        server
        for server in _servers.values()
        if any(
            str(value).endswith(f"//{server.host}:{server.port}") for value in variables.values()
        )
    ]
    if not told:
        return properties
    runtime = re.sub(r"[^a-z].*", "", properties["Runtime"])
    changed = {**variables, TRUSTED[runtime]: str(told[0].authority)}
    return {**properties, "Environment": {"Variables": changed}}
