"""A serverless cache is a Valkey server that functions can connect to.

AWS: `AWS::ElastiCache::ServerlessCache` is a cluster that takes nothing but TLS; its certificate is
one that every client trusts. Engine, subnets and key cannot be changed without replacing it, and it
must have a name, of at most 40 characters, so that a replacement needs another one.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticache-serverlesscache.html
https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateServerlessCache.html

With a user group nobody connects but its users, each with what its access string says; a user whom
IAM authenticates has one name and id, and signs in with a token. A group of Valkey's has no user
without authentication, and needs no `default`.
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html

Emulator: it does not know the type and refuses the template; it records users and groups, but not
how a user is authenticated. Here the cache is a server of ours with Valkey's access control lists;
functions that are told of it are told to trust the authority of its certificate, too. Connections
that were made before a group changes stay, and none ends after 12 hours.
"""

import re
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import elasticache
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import EmulatorChangedError, replace
from sls_patterns_cli.local.emulator.datastores import valkey

TYPE = "AWS::ElastiCache::ServerlessCache"
NAME = re.compile(r"[a-z](?!.*--)[a-z0-9-]{0,38}[a-z0-9]")
TRUSTED = {"python": "SSL_CERT_FILE", "nodejs": "NODE_EXTRA_CA_CERTS"}
"""By the runtime of a function: the variable with the file of the authorities that it trusts."""

UNAUTHENTICATED = re.compile(r"nopass|reset|[><#!]")
"""What an access string must not say: ElastiCache itself keeps the passwords."""

_servers: dict[str, valkey.Server] = {}
_groups: dict[str, str] = {}
"""The user groups, by the names of their caches."""


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
    users = provisioners._RESOURCE_HANDLERS["AWS::ElastiCache::User"]
    replace(users, "create", "7667c91e039e", _of_iam)
    replace(users, "update", "7cd7f5663c61", _of_iam)
    groups = provisioners._RESOURCE_HANDLERS["AWS::ElastiCache::UserGroup"]
    replace(groups, "update", "f73b276cc9ee", _then_admit)


def _create(_logical_id: str, properties: dict[str, Any], _stack: str) -> Any:
    name = properties.get("ServerlessCacheName", "")
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a cache: up to 40 of a-z, 0-9 and single hyphens")
    if name in _servers:
        raise ValueError(f"a cache with the name {name} already exists")
    if properties.get("Engine") != "valkey":
        raise ValueError(f"{properties.get('Engine')} is not served by the local stack")
    arn = _arn(name)
    users = arn.removesuffix(f"serverlesscache:{name}") + "user:"
    # Signing takes a while to import, and few stacks have a cache.
    from sls_patterns_cli.local.emulator.adapters.elasticache.connect_tokens import authorizes

    _servers[name] = valkey.start(lambda user, token: authorizes(token, arn, users + user))
    try:
        return _with_group(name, properties)
    except ValueError:
        _delete(name, properties)
        raise


def _update(name: str, old: dict[str, Any], new: dict[str, Any], _stack: str) -> Any:
    for kept in ("ServerlessCacheName", "Engine", "SubnetIds"):
        if old.get(kept) != new.get(kept):
            raise ValueError(f"the local stack does not replace a cache whose {kept} changes")
    return _with_group(name, new)


def _with_group(name: str, properties: dict[str, Any]) -> Any:
    if group := properties.get("UserGroupId"):
        _groups[name] = group
    else:
        _groups.pop(name, None)
    _admit(name)
    return name, _attributes(name)


def _admit(name: str) -> None:
    """Let in the users of the cache's group as they are now; without one, everybody."""
    if name not in _groups:
        _servers[name].admit(None)
        return
    group = elasticache._user_groups.get(_groups[name])
    if group is None:
        raise ValueError(f"there is no user group {_groups[name]}")
    users = [elasticache._users[user] for user in group["UserIds"]]
    _servers[name].admit({user["UserName"]: user["AccessString"] for user in users})


def _of_iam(change: Callable[..., Any]) -> Callable[..., Any]:
    def change_user(*arguments: Any) -> Any:
        properties = next(each for each in reversed(arguments) if isinstance(each, dict))
        if (properties.get("AuthenticationMode") or {}).get("Type") != "iam":
            raise ValueError("the local stack knows only users with the AuthenticationMode iam")
        if properties.get("UserId") != properties.get("UserName"):
            raise ValueError("a user whom IAM authenticates has one UserId and UserName")
        if found := UNAUTHENTICATED.search(str(properties.get("AccessString"))):
            raise ValueError(f"an access string must not say {found[0]}")
        return _then_admit(change)(*arguments)

    return change_user


def _then_admit(change: Callable[..., Any]) -> Callable[..., Any]:
    def change_users(*arguments: Any) -> Any:
        changed = change(*arguments)
        for name in _groups:
            _admit(name)
        return changed

    return change_users


def _delete(name: str, _properties: dict[str, Any]) -> None:
    _groups.pop(name, None)
    if server := _servers.pop(name, None):
        server.stop()


def _attributes(name: str) -> dict[str, Any]:
    server = _servers[name]
    return {
        "ARN": _arn(name),
        "Status": "AVAILABLE",
        "Endpoint.Address": server.host,
        "Endpoint.Port": str(server.port),
        "ReaderEndpoint.Address": server.host,
        "ReaderEndpoint.Port": str(server.port),
    }


def _arn(name: str) -> str:
    return f"arn:aws:elasticache:{get_region()}:{get_account_id()}:serverlesscache:{name}"


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
        if any(str(value).endswith(f"{server.host}:{server.port}") for value in variables.values())
    ]
    if not told:
        return properties
    runtime = re.sub(r"[^a-z].*", "", properties["Runtime"])
    changed = {**variables, TRUSTED[runtime]: str(told[0].authority)}
    return {**properties, "Environment": {"Variables": changed}}
