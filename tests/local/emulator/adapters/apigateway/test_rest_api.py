"""REST APIs: everything that the definition says, addresses, permission, HTTP systems behind."""

import base64
import http.client
import json
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from local.support import REGION, DeployStack

from sls_patterns_cli.errors import UserError

TEMPLATE = """
Parameters:
  LegacyUrl: {Type: String, Default: "LEGACY"}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      OpenApiVersion: 3.0.1
      BinaryMediaTypes: ["*~1*"]
      GatewayResponses:
        MISSING_AUTHENTICATION_TOKEN:
          StatusCode: 404
          ResponseTemplates: {application/json: '{"message":"Not Found"}'}
      DefinitionBody:
        openapi: 3.0.1
        paths:
          /old/{proxy+}:
            x-amazon-apigateway-any-method:
              x-amazon-apigateway-integration:
                type: http_proxy
                httpMethod: ANY
                uri: !Sub "${LegacyUrl}/{proxy}"
                requestParameters: {integration.request.path.proxy: method.request.path.proxy}
                timeoutInMillis: 1000
          /down:
            get:
              x-amazon-apigateway-integration:
                {type: http_proxy, httpMethod: GET, uri: "http://127.0.0.1:1/"}
          /new:
            x-amazon-apigateway-any-method:
              x-amazon-apigateway-integration: &function
                type: aws_proxy
                httpMethod: POST
                uri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/\
functions/${Function.Arn}/invocations"
          /unpermitted:
            post: {x-amazon-apigateway-integration: *function}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            if "Asked-For" in event["headers"]:
                return {"statusCode": 200, "body": event["headers"]["Asked-For"]}
            return {"statusCode": 200, "body": event["body"], "isBase64Encoded": True}
      Events:
        New: {Type: Api, Properties: {RestApiId: !Ref Api, Method: ANY, Path: /new}}
Outputs:
  Url: {Value: !Sub "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/live"}
"""


class Legacy(BaseHTTPRequestHandler):
    """Answers with what it was asked, or as its path says."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/slow":
            threading.Event().wait(2)  # longer than the API waits
            return
        asked = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": base64.b64encode(body).decode(),
        }
        self.send_response(302 if self.path == "/moved" else 418 if self.path == "/tea" else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        self.wfile.write(json.dumps(asked).encode())

    do_GET = do_POST = do_PATCH = answer  # noqa: N815 (the names are http.server's)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def legacy() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Legacy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def url(deploy_stack: DeployStack, legacy: str) -> str:
    return deploy_stack(TEMPLATE.replace("LEGACY", legacy), "rest-api")["Url"]


def request(
    url: str, method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, bytes, Any]:
    """Send one request, and follow nothing."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    kinds = {"Accept": "*/*", "Content-Type": "application/octet-stream"}
    connection.request(method, target, body, kinds | headers)
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


def test_a_request_reaches_the_http_system_as_it_is(url: str) -> None:
    content = bytes(range(256))

    status, answer, _ = request(f"{url}/old/a/b%20c?x=1&x=2", "PATCH", content, Marked="yes")

    asked = json.loads(answer)
    assert (status, asked["method"], asked["path"]) == (200, "PATCH", "/a/b%20c?x=1&x=2")
    assert asked["headers"]["marked"] == "yes"
    assert base64.b64decode(asked["body"]) == content


def test_a_slash_at_the_end_reaches_the_same_resource(url: str) -> None:
    """Fact X4."""
    assert request(f"{url}/new", "POST", b"sent")[:2] == (200, b"sent")
    assert request(f"{url}/new/", "POST", b"sent")[:2] == (200, b"sent")


def test_its_answer_comes_back_as_it_is(url: str) -> None:
    status, _, headers = request(f"{url}/old/moved")
    assert (status, headers["Location"]) == (302, "/elsewhere")
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert headers["x-amzn-Remapped-Server"].startswith("BaseHTTP")
    assert request(f"{url}/old/tea")[0] == 418


def test_a_system_that_is_late_or_gone_is_504(url: str) -> None:
    assert request(f"{url}/old/slow")[0] == 504
    assert request(f"{url}/down")[0] == 504


def test_binary_bodies_pass_a_function(url: str) -> None:
    content = bytes(range(256))

    assert request(f"{url}/new", "POST", content)[:2] == (200, content)


def test_a_function_gets_the_names_of_headers_as_they_were_sent(url: str) -> None:
    """Fact B20."""
    assert request(f"{url}/new", "POST", b"", **{"Asked-For": "this"})[1] == b"this"
    assert request(f"{url}/new", "POST", b"body", **{"asked-for": "this"})[1] == b"body"


def test_a_functions_answer_may_have_no_body(url: str) -> None:
    assert request(f"{url}/new")[:2] == (200, b"")


def test_gateway_responses_are_those_of_the_definition(url: str) -> None:
    assert request(f"{url}/nowhere")[:2] == (404, b'{"message":"Not Found"}')


def test_a_function_without_its_permission_is_not_invoked(url: str) -> None:
    assert request(f"{url}/unpermitted", "POST", b"content")[0] == 500


def test_a_method_that_openapi_does_not_have_is_refused(deploy_stack: DeployStack) -> None:
    any_method = TEMPLATE.replace("x-amazon-apigateway-any-method", "any")

    with pytest.raises(UserError, match="OpenAPI has no method 'any'"):
        deploy_stack(any_method, f"any-method-{REGION}")
