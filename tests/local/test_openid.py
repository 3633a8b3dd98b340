"""The OpenID provider that the local stack plays: its tokens are accepted, proofs get its key."""

import base64
import json

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from local.support import DeployStack

from sls_patterns_cli.local import openid
from sls_patterns_cli.local.external import stood_in

HTTP = urllib3.PoolManager(retries=False, timeout=20)
PARAMETERS = {
    "CarrierUrl": {"Type": "String", "AllowedPattern": "https?://.+"},
    "IssuerUrl": {"Type": "String", "AllowedPattern": "https://.+"},
    "IssuerAudience": {"Type": "CommaDelimitedList", "Default": "shop,desk"},
}
API = """
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            return event["requestContext"]["authorizer"]["jwt"]
      Events:
        Read:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: GET
            Path: /read
            Auth: {AuthorizationScopes: ["items:read"]}
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Issuer
        Authorizers:
          Issuer:
            IdentitySource: $request.header.Authorization
            JwtConfiguration: {issuer: "ISSUER", audience: [shop]}
Outputs: {Endpoint: {Value: !GetAtt Api.ApiEndpoint}}
"""


def test_an_api_accepts_its_token_on_the_routes_of_its_scopes(deploy_stack: DeployStack) -> None:
    with stood_in({"Parameters": PARAMETERS}, {}) as stand_ins:
        provider = openid.provider({"Parameters": PARAMETERS}, stand_ins)
        assert provider
        address = stand_ins["IssuerUrl"].url
        endpoint = deploy_stack(API.replace("ISSUER", address), "openid")["Endpoint"]

        def read(*scopes: str) -> int:
            headers = {"authorization": f"Bearer {provider.token(scopes)}"}
            return HTTP.request("GET", f"{endpoint}/read", headers=headers).status

        assert read("items:write", "items:read") == 200
        assert read("items:write") == 403


def test_proofs_get_its_key() -> None:
    with stood_in({"Parameters": PARAMETERS}, {}) as stand_ins:
        provider = openid.provider({"Parameters": PARAMETERS}, stand_ins)
        assert provider
        issuer = stand_ins["IssuerUrl"]
        pem = HTTP.request("GET", f"{issuer.control_url}/key").data

        key = load_pem_private_key(pem, password=None)
        assert isinstance(key, RSAPrivateKey)
        content, _, signature = provider.token(["a", "b"]).rpartition(".")
        key.public_key().verify(decoded(signature), content.encode(), PKCS1v15(), SHA256())
        claims = json.loads(decoded(content.split(".")[1]))
        assert (claims["iss"], claims["aud"], claims["scope"]) == (issuer.url, "shop", "a b")


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("missing", ["IssuerUrl", "IssuerAudience"])
def test_without_its_parameters_there_is_none(missing: str) -> None:
    parameters = {name: value for name, value in PARAMETERS.items() if name != missing}
    with stood_in({"Parameters": parameters}, {}) as stand_ins:
        assert openid.provider({"Parameters": parameters}, stand_ins) is None
        carrier = HTTP.request("GET", f"{stand_ins['CarrierUrl'].control_url}/key")
        assert carrier.data == b""
