"""An HTTP API accepts the tokens of an OpenID provider as AWS does.

AWS: the provider's discovery document says where its keys are. The algorithm is one of RSA's; the
key that `kid` names must be among them. `iss` is the issuer, `aud` (or `client_id`, where there is
no `aud`) one of the audiences, `exp` lies ahead, `nbf` and `iat` do not, and `scope` or `scp` has
one of the route's scopes. What fails is denied: 401, or 403 for the scope. A claim that is not what
it should be is no exception to that.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html

Emulator: guesses where the keys are if there is no discovery document, and keeps both for two
hours, so that a second run of proofs with new keys would fail; takes a token without `exp`, or with
another algorithm in its header; ends with an exception where a time is no number. Only RS256 is
checked, so other algorithms of RSA are refused here. A provider on this machine has no certificate,
and is asked by plain HTTP, as systems behind APIs are.
"""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from ministack.services import apigateway

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.apigateway.http_proxy import LOOPBACK

Validate = Callable[..., Awaitable[tuple[Any, Any, Any]]]
DISCOVERY = "/.well-known/openid-configuration"


def apply() -> None:
    replace(apigateway, "_resolve_jwks_url", "895164c623bf", lambda _: _address_of_keys)
    replace(apigateway, "_fetch_jwks", "f9a4ebe58710", lambda _: _document)
    replace(apigateway, "_validate_jwt_authorizer", "b29aa12ec1dc", _strict)


async def _address_of_keys(authorizer: dict[str, Any]) -> str | None:
    issuer = str(authorizer["jwtConfiguration"]["issuer"])
    try:
        discovered = await _document(issuer.rstrip("/") + DISCOVERY)
    except (OSError, ValueError):
        return None
    return discovered.get("jwks_uri")


async def _document(address: str) -> dict[str, Any]:
    if urlsplit(address).hostname == LOOPBACK:
        address = address.replace("https://", "http://", 1)
    _, _, body = await apigateway._urlopen_async(address, apigateway._JWKS_TIMEOUT_SECONDS)
    document: dict[str, Any] = json.loads(body)
    return document


def _strict(validate: Validate) -> Validate:
    async def validate_token(
        route: dict[str, Any],
        authorizer: dict[str, Any],
        headers: dict[str, str],
        query: dict[str, Any],
    ) -> tuple[Any, Any, Any]:
        token = apigateway._extract_token_from_identity_source(
            authorizer["identitySource"], headers, query
        )
        if not _complete(token or ""):
            return None, None, apigateway._jwt_unauthorized()
        return await validate(route, authorizer, headers, query)

    return validate_token


def _complete(token: str) -> bool:
    """Whether a token says how it is signed, and until when it holds."""
    header, claims = _parts_of(token)
    times = [claims[name] for name in ("exp", "nbf", "iat") if name in claims]
    return (
        header.get("alg") == "RS256"
        and "exp" in claims
        and all(isinstance(time, int | float) and not isinstance(time, bool) for time in times)
    )


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says of its caller; nothing if it is no token."""
    _, claims = _parts_of(token)
    return claims


def _parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims = (_decoded(part) for part in [*token.split("."), ""][:2])
    return header, claims


def _decoded(part: str) -> dict[str, Any]:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}
