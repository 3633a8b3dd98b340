"""Mock integrations of REST APIs."""

from collections.abc import Mapping
from typing import Any

import pytest
import urllib3
from local.support import DeployStack

TEMPLATE = """
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      OpenApiVersion: 3.0.1
      Variables: {Greeting: hello}
      DefinitionBody:
        openapi: 3.0.1
        paths:
          /greeting:
            get:
              x-amazon-apigateway-integration:
                type: mock
                requestTemplates: {application/json: '{"statusCode": 200}'}
                responses:
                  default:
                    statusCode: "200"
                    responseTemplates:
                      application/json: |
                        #set($name = "$input.params('Name')$input.params('name')")
                        #set($context.responseOverride.header.X-Greeting = "$name")
                        #if($name == "nobody")#set($context.responseOverride.status = 404)#end
                        {"greeting": "$stageVariables.Greeting $name"}
          /{proxy+}:
            options:
              x-amazon-apigateway-integration:
                type: mock
                requestTemplates: {application/json: '{"statusCode": 204}'}
                responses:
                  default:
                    statusCode: "204"
                    responseTemplates:
                      application/json: |
                        #set($context.responseOverride.header.X-Served-By = "proxy")
Outputs:
  Url: {Value: !Sub "https://${Api}.execute-api.${AWS::Region}.amazonaws.com/live"}
"""


@pytest.fixture(scope="module")
def url(deploy_stack: DeployStack) -> str:
    return deploy_stack(TEMPLATE)["Url"]


def call(
    url: str, headers: Mapping[str, str], method: str = "GET"
) -> tuple[int, Mapping[str, str], bytes]:
    response: Any = urllib3.request(method, url, headers=dict(headers))
    return response.status, response.headers, response.data


@pytest.mark.parametrize("name", ["Name", "name"])
def test_its_template_sets_headers_by_the_request_and_the_stage(url: str, name: str) -> None:
    status, headers, body = call(f"{url}/greeting", {name: "Ada"})

    assert (status, headers["X-Greeting"], body.strip()) == (
        200,
        "Ada",
        b'{"greeting": "hello Ada"}',
    )


def test_its_template_may_set_the_status(url: str) -> None:
    assert call(f"{url}/greeting", {"Name": "nobody"})[0] == 404


def test_a_path_without_the_method_falls_through_to_the_greedy_path(url: str) -> None:
    for path in ("greeting", "other/path"):
        status, headers, body = call(f"{url}/{path}", {}, "OPTIONS")
        assert (status, headers["X-Served-By"], body) == (204, "proxy", b"")
