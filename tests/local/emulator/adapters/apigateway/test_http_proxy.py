"""APIs in front of an HTTP system: its address, what passes, and what an update does."""

import base64
import http.client
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from local.support import DeployStack

from sls_patterns_cli.local.external import Answer, StandIn

BYTES = bytes(range(256))

HTTP = """
Parameters:
  Legacy: {Type: String}
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageVariables: {Host: !Ref Legacy}
      DefinitionBody:
        openapi: "3.0.1"
        info: {title: proxy, version: "1"}
        paths:
          /$default:
            x-amazon-apigateway-any-method:
              isDefaultRoute: true
              x-amazon-apigateway-integration:
                type: http_proxy
                httpMethod: ANY
                payloadFormatVersion: "1.0"
                uri: https://${stageVariables.Host}/base
                requestParameters: {"overwrite:path": $request.path}
                timeoutInMillis: 1000
Outputs:
  Url: {Value: !GetAtt Api.ApiEndpoint}
"""
REST = """
Parameters:
  Legacy: {Type: String}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      OpenApiVersion: 3.0.1
      Variables: {Host: !Ref Legacy}
      DefinitionBody:
        openapi: 3.0.1
        paths:
          /PATH/{proxy+}:
            x-amazon-apigateway-any-method:
              x-amazon-apigateway-integration:
                type: http_proxy
                httpMethod: ANY
                uri: https://${stageVariables.Host}/{proxy}
                requestParameters: {integration.request.path.proxy: method.request.path.proxy}
Outputs:
  Url: {Value: !Sub "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/live"}
"""


@pytest.fixture
def legacy() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    stand_in.stop()


def ask(url: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, Any, bytes]:
    """Send one request, and follow nothing."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.request(method, f"{parts.path}?{parts.query}", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def with_address(template: str, legacy: StandIn) -> str:
    host = legacy.url.removeprefix("http://")
    return template.replace("{Type: String}", f'{{Type: String, Default: "{host}"}}')


def test_an_http_api_hands_requests_on(deploy_stack: DeployStack, legacy: StandIn) -> None:
    url = deploy_stack(with_address(HTTP, legacy), "http-proxy")["Url"]
    legacy.tell(Answer(302, (("Location", "/x"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))))

    status, headers, _ = ask(f"{url}/a%20b/c?x=1&x=2", "PATCH", BYTES, **{"X-Forwarded-For": "1"})

    assert (status, headers["Location"]) == (302, "/x")
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    (seen,) = legacy.requests
    assert (seen.method, seen.target) == ("PATCH", "/a%20b/c?x=1&x=2")
    assert base64.b64decode(seen.body) == BYTES
    names = {name.lower() for name, _ in seen.headers}
    assert "forwarded" in names
    assert "x-forwarded-for" not in names


def test_a_system_that_does_not_answer_an_http_api_is_503(
    deploy_stack: DeployStack, legacy: StandIn
) -> None:
    url = deploy_stack(with_address(HTTP, legacy), "http-proxy-down")["Url"]
    legacy.tell(Answer(hangs=True))
    assert ask(f"{url}/late")[0] == 503

    legacy.tell(Answer(gone=True))

    assert ask(f"{url}/gone")[0] == 503


def test_a_rest_api_that_is_not_told_of_binary_bodies_takes_them_for_text(
    deploy_stack: DeployStack, legacy: StandIn
) -> None:
    url = deploy_stack(with_address(REST, legacy), "rest-proxy")["Url"]
    legacy.tell(Answer(200, (), base64.b64encode(BYTES).decode(), base64=True))

    _, _, answered = ask(f"{url}/PATH/x", "POST", BYTES)

    assert answered == BYTES.decode(errors="replace").encode()
    assert base64.b64decode(legacy.requests[0].body) == answered


def test_a_rest_api_with_another_definition_keeps_its_address(
    deploy_stack: DeployStack, legacy: StandIn
) -> None:
    template = with_address(REST, legacy)
    before = deploy_stack(template, "rest-proxy-changed")["Url"]

    after = deploy_stack(template.replace("/PATH/", "/other/"), "rest-proxy-changed")["Url"]

    assert after == before
    assert ask(f"{after}/other/x")[0] == 200
    assert ask(f"{after}/PATH/x")[0] == 403
