"""The OpenID provider of a stack whose API checks tokens: a stand-in with a key that signs them.

It publishes its discovery document and its key before the deployment, as a provider does, and signs
a token that every route accepts. Proofs get the key at `/key` of the stand-in's control address:
they sign tokens that must be refused.
"""

import base64
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.local.external import Answer, StandIn

KEY_ID = "key-1"
"""The name of the key, as in the tokens that proofs sign with it."""
LIFETIME = 24 * 60 * 60
"""Seconds: `local up` may run all day."""


@dataclass(frozen=True)
class Provider:
    """A stand-in that plays a provider, an audience of its tokens, and the key that signs them."""

    stand_in: StandIn
    audience: str
    key: Any

    @classmethod
    def published(cls, stand_in: StandIn, audience: str) -> "Provider":
        """Let a stand-in publish a new key."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

        key = generate_private_key(public_exponent=65537, key_size=2048)
        stand_in.key = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        modulus = _encoded(key.public_key().public_numbers().n.to_bytes(256))
        jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "e": "AQAB", "n": modulus}
        documents: dict[str, dict[str, object]] = {
            "/.well-known/openid-configuration": {
                "issuer": stand_in.url,
                "jwks_uri": f"{stand_in.url}/keys",
            },
            "/keys": {"keys": [jwk]},
        }
        for path, document in documents.items():
            stand_in.tell(Answer(path=path, body=json.dumps(document)))
        made = cls(stand_in, audience, key)
        stand_in.signed = made.signed
        return made

    def token(self, scopes: Iterable[str]) -> str:
        """Sign a token with these scopes, which is good from now on."""
        return self.signed({"scope": " ".join(scopes)})

    def signed(self, claims: Mapping[str, object]) -> str:
        """Sign a token with these claims beside the usual ones, which is good from now on."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        issued = int(time.time())
        header = {"typ": "JWT", "alg": "RS256", "kid": KEY_ID}
        usual = {
            "iss": self.stand_in.url,
            "aud": self.audience,
            "sub": "local",
            "iat": issued,
            "exp": issued + LIFETIME,
        }
        content = ".".join(
            _encoded(json.dumps(part).encode()) for part in (header, {**usual, **claims})
        )
        return f"{content}.{_encoded(self.key.sign(content.encode(), PKCS1v15(), SHA256()))}"


def provider(template: Template, stand_ins: Mapping[str, StandIn]) -> Provider | None:
    """The provider that a stand-in plays: that of the parameter `IssuerUrl` with `IssuerAudience`.

    None if the template has no such parameters, or if the address was given.
    """
    parameters = template.get("Parameters", {})
    for name, stand_in in stand_ins.items():
        audience = parameters.get(f"{name.removesuffix('Url')}Audience")
        if audience is not None:
            return Provider.published(stand_in, str(audience["Default"]).split(",", maxsplit=1)[0])
    return None


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
