"""HTTP APIs that check the tokens of an OpenID provider: which they accept, as AWS documents it."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from local.support import Client, DeployStack

from sls_patterns_cli.local.external import Answer, StandIn

HTTP = urllib3.PoolManager(retries=False, timeout=20)
HEAD = """
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            return event["requestContext"]["authorizer"]["jwt"]
"""
API = (
    HEAD
    + """
      Events:
        Read:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: GET
            Path: /read
            Auth: {AuthorizationScopes: ["items:read", "items:all"]}
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      AccessLogSettings:
        DestinationArn: !GetAtt Calls.Arn
        Format: '$context.status $context.authorizer.claims.sub'
      Auth:
        DefaultAuthorizer: Issuer
        Authorizers:
          Issuer:
            IdentitySource: $request.header.Authorization
            JwtConfiguration: {issuer: "ISSUER", audience: [shop, desk]}
  Calls: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: calls-with-tokens}}
Outputs: {Endpoint: {Value: !GetAtt Api.ApiEndpoint}}
"""
)
Claims = dict[str, Any]
Ask = Callable[[str], tuple[int, Any]]


class Provider:
    """A provider with one key, which it publishes."""

    def __init__(self) -> None:
        self.server = StandIn()
        self.url = self.server.url.replace("http:", "https:")
        self.new_key("first")

    def new_key(self, name: str) -> None:
        self.name, self.key = name, generate_private_key(public_exponent=65537, key_size=2048)
        numbers = self.key.public_key().public_numbers()
        jwk = {"kty": "RSA", "kid": name, "e": "AQAB", "n": encoded(numbers.n.to_bytes(256))}
        self.publish("/.well-known/openid-configuration", {"jwks_uri": f"{self.url}/certificates"})
        self.publish("/certificates", {"keys": [jwk]})

    def publish(self, path: str, document: object) -> None:
        self.server.tell(Answer(path=path, body=json.dumps(document)))

    def token(self, algorithm: str = "RS256", **changes: Any) -> str:
        """A token with these claims beside the usual ones; None leaves one out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": "shop", "scope": "items:read", "exp": now + 60}
        claims = {name: value for name, value in {**usual, **changes}.items() if value is not None}
        header = {"alg": algorithm, "kid": self.name}
        content = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        return f"{content}.{encoded(self.key.sign(content.encode(), PKCS1v15(), SHA256()))}"


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.server.stop()


@pytest.fixture(scope="module")
def ask(deploy_stack: DeployStack, provider: Provider) -> Ask:
    """Sends a token; the status, and what the function was told of it."""
    endpoint = deploy_stack(API.replace("ISSUER", provider.url), "tokens")["Endpoint"]

    def send(token: str) -> tuple[int, Any]:
        answer = HTTP.request("GET", f"{endpoint}/read", headers={"authorization": token})
        return answer.status, answer.json()

    return send


def test_the_function_gets_the_claims_and_scopes_as_text(provider: Provider, ask: Ask) -> None:
    status, told = ask(f"Bearer {provider.token(sub='me', scope='items:read more', admin=True)}")

    assert status == 200
    assert told["claims"]["sub"] == "me"
    assert told["claims"]["admin"] == "true"
    assert told["scopes"] == ["items:read", "more"]


def test_the_access_log_names_the_subject_of_an_accepted_token(
    provider: Provider, ask: Ask, client: Client
) -> None:
    ask(provider.token(sub="the shop"))
    ask(provider.token(sub="nobody", aud="other"))

    events = client("logs").filter_log_events(logGroupName="calls-with-tokens")["events"]
    assert [each["message"] for each in events][-2:] == ["200 the shop", "401 -"]


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, 200),
        ({"aud": ["other", "desk"]}, 200),
        ({"aud": None, "client_id": "shop"}, 200),
        ({"aud": "other", "client_id": "shop"}, 401),
        ({"aud": None}, 401),
        ({"iss": "https://other.example"}, 401),
        ({"exp": 1}, 401),
        ({"exp": None}, 401),
        ({"exp": "tomorrow"}, 401),
        ({"exp": True}, 401),
        ({"nbf": 1}, 200),
        ({"nbf": 2**40}, 401),
        ({"iat": 2**40}, 401),
        ({"iat": "now"}, 401),
        ({"scope": None, "scp": ["items:all"]}, 200),
        ({"scope": "items:write"}, 403),
        ({"scope": None}, 403),
    ],
)
def test_each_claim_decides(claims: Claims, status: int, provider: Provider, ask: Ask) -> None:
    assert ask(provider.token(**claims))[0] == status


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256"])
def test_only_algorithms_of_rsa_are_accepted(algorithm: str, provider: Provider, ask: Ask) -> None:
    assert ask(provider.token(algorithm))[0] == 401
    assert ask(provider.token(algorithm).rpartition(".")[0] + ".")[0] == 401


@pytest.mark.parametrize("token", ["", "Bearer", "a.b.c", "W10.W10.W10", "e30.e30", "é.é.é"])
def test_what_is_no_token_is_refused(token: str, ask: Ask) -> None:
    assert ask(token.encode("latin-1").decode("latin-1"))[0] == 401


def test_a_signature_is_that_of_the_content(provider: Provider, ask: Ask) -> None:
    header, _, signature = provider.token().split(".")
    _, other, _ = provider.token(sub="other").split(".")

    assert ask(f"{header}.{other}.{signature}")[0] == 401


def test_a_new_key_is_known_as_soon_as_it_is_published(provider: Provider, ask: Ask) -> None:
    before = provider.token()
    provider.new_key("second")

    assert ask(provider.token())[0] == 200
    assert ask(before)[0] == 401


def test_without_a_discovery_document_no_token_is_accepted(provider: Provider, ask: Ask) -> None:
    keys = provider.server.answers["/certificates"].body
    provider.publish("/.well-known/jwks.json", json.loads(keys))
    provider.publish("/.well-known/openid-configuration", {})

    assert ask(provider.token())[0] == 401
