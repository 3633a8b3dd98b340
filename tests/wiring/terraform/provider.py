"""A Terraform provider with the AWS provider's schemas, and no AWS behind them.

Terraform's core does the rest, so a plan has what a real one has: addresses, expressions and
references, modules, instances, what is known and what is not. What AWS would compute, such as
ARNs, is made up here when a plan is applied. It speaks protocol 5 on 127.0.0.1
(https://developer.hashicorp.com/terraform/plugin/terraform-plugin-protocol).
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import grpc
import grpc_tools
import msgpack
from grpc_tools import protoc
from wiring.terraform.schema import Schema, read

UNKNOWN = msgpack.ExtType(0, b"\x00")
APIGATEWAY = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions"
KINDS_IN_ARNS = {
    "aws_lambda_alias": "function:",
    "aws_lambda_function": "function:",
    "aws_s3_bucket": "",
    "aws_sns_topic": "",
    "aws_sqs_queue": "",
}
NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}

# The part of the protocol that a plan needs. Fields keep the numbers of the protocol.
PROTOCOL = """
syntax = "proto3";
package tfplugin5;
message Value { bytes msgpack = 1; }
message Diagnostic { int32 severity = 1; string summary = 2; string detail = 3; }
message Schema {
  message Block {
    int64 version = 1; repeated Attribute attributes = 2; repeated NestedBlock block_types = 3;
  }
  message Attribute {
    string name = 1; bytes type = 2; bool required = 4; bool optional = 5; bool computed = 6;
  }
  message NestedBlock {
    string type_name = 1; Block block = 2; int32 nesting = 3; int64 min_items = 4;
    int64 max_items = 5;
  }
  int64 version = 1;
  Block block = 2;
}
message Empty {}
message Schemas {
  Schema provider = 1; map<string, Schema> resources = 2; map<string, Schema> data = 3;
}
message Config { Value config = 1; repeated Diagnostic diagnostics = 2; }
message Typed { string type_name = 1; Value config = 2; }
message Planning { string type_name = 1; Value prior = 2; Value proposed = 3; Value config = 4; }
message Planned { Value planned = 1; bool legacy_type_system = 5; }
message Applying { string type_name = 1; Value prior = 2; Value planned = 3; Value config = 4; }
message Applied { Value state = 1; bool legacy_type_system = 4; }
message Stored { bytes json = 1; }
message Upgrading { string type_name = 1; int64 version = 2; Stored state = 3; }
message State { Value state = 1; }
"""


@contextmanager
def serving(package: Path, resources: list[str], data: list[str]) -> Iterator[None]:
    """Serve the provider and tell Terraform in the environment where it is."""
    messages = _messages()
    schemas = {name: read(package, name) for name in resources}
    sources = {name: read(package, name, data=True) for name in data}

    def plan(request: Any, _context: Any) -> Any:
        proposed = _decoded(request.proposed)
        if proposed is not None and _decoded(request.prior) is None:
            proposed = _computed(schemas[request.type_name], proposed)
        return messages.Planned(planned=_encoded(messages, proposed), legacy_type_system=True)

    def apply(request: Any, _context: Any) -> Any:
        state = _decoded(request.planned)
        if state is not None:
            state = _made(request.type_name, schemas[request.type_name], state)
        return messages.Applied(state=_encoded(messages, state), legacy_type_system=True)

    def upgrade(request: Any, _context: Any) -> Any:
        return messages.State(state=_encoded(messages, json.loads(request.state.json)))

    def read_data(request: Any, _context: Any) -> Any:
        given = _decoded(request.config)
        state = _read(request.type_name, sources[request.type_name], given)
        return messages.State(state=_encoded(messages, state))

    answers = {
        "GetSchema": (messages.Empty, lambda *_: _schemas(messages, schemas, sources)),
        "PrepareProviderConfig": (
            messages.Config,
            lambda request, _: messages.Config(config=request.config),
        ),
        "ValidateResourceTypeConfig": (messages.Typed, lambda *_: messages.Empty()),
        "ValidateDataSourceConfig": (messages.Typed, lambda *_: messages.Empty()),
        "Configure": (messages.Empty, lambda *_: messages.Empty()),
        "PlanResourceChange": (messages.Planning, plan),
        "ApplyResourceChange": (messages.Applying, apply),
        "UpgradeResourceState": (messages.Upgrading, upgrade),
        "ReadDataSource": (messages.Typed, read_data),
        "Stop": (messages.Empty, lambda *_: messages.Empty()),
    }
    server = grpc.server(futures.ThreadPoolExecutor(4))
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=request.FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )
        for name, (request, answer) in answers.items()
    }
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("tfplugin5.Provider", handlers)]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    os.environ["TF_REATTACH_PROVIDERS"] = json.dumps(
        {
            "registry.terraform.io/hashicorp/aws": {
                "Protocol": "grpc",
                "ProtocolVersion": 5,
                "Pid": os.getpid(),
                "Test": True,
                "Addr": {"Network": "tcp", "String": f"127.0.0.1:{port}"},
            }
        }
    )
    try:
        yield
    finally:
        server.stop(None)


def _messages() -> Any:
    folder = tempfile.mkdtemp()
    Path(folder, "tfplugin5.proto").write_text(PROTOCOL)
    include = str(Path(grpc_tools.__file__).parent / "_proto")
    protoc.main(["", f"-I{folder}", f"-I{include}", f"--python_out={folder}", "tfplugin5.proto"])
    sys.path.insert(0, folder)
    return import_module("tfplugin5_pb2")


def _schemas(messages: Any, resources: dict[str, Schema], data: dict[str, Schema]) -> Any:
    def block(described: Schema) -> Any:
        return messages.Schema.Block(
            attributes=[
                messages.Schema.Attribute(
                    name=name,
                    type=json.dumps(attribute["type"]).encode(),
                    required=attribute.get("required", False),
                    optional=attribute.get("optional", False),
                    computed=attribute.get("computed", False),
                )
                for name, attribute in described["attributes"].items()
            ],
            block_types=[
                messages.Schema.NestedBlock(
                    type_name=name,
                    block=block(nested["block"]),
                    nesting=NESTING[nested["nesting"]],
                    max_items=0 if nested["nesting"] == "single" else nested["max_items"],
                )
                for name, nested in described["blocks"].items()
            ],
        )

    region = {"attributes": {"region": {"type": "string", "optional": True}}, "blocks": {}}
    return messages.Schemas(
        provider=messages.Schema(block=block(region)),
        resources={name: messages.Schema(block=block(each)) for name, each in resources.items()},
        data={name: messages.Schema(block=block(each)) for name, each in data.items()},
    )


def _decoded(value: Any) -> Any:
    return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False)


def _encoded(messages: Any, value: Any) -> Any:
    return messages.Value(msgpack=msgpack.packb(value, use_bin_type=True))


def _computed(described: Schema, value: dict[str, Any]) -> dict[str, Any]:
    """Return what is planned: what only AWS can compute is unknown."""
    result = dict(value)
    for name, attribute in described["attributes"].items():
        if attribute.get("computed") and result.get(name) is None:
            result[name] = UNKNOWN
    for name, nested in described["blocks"].items():
        if isinstance(result.get(name), list):
            result[name] = [_computed(nested["block"], each) for each in result[name]]
    return result


def _made(type_: str, described: Schema, planned: dict[str, Any]) -> dict[str, Any]:
    """Return what AWS would have made: every unknown value has one that is its own."""
    service, _, kind = type_.removeprefix("aws_").partition("_")
    names = ("name", "function_name", "bucket", "alarm_name", "target_id")
    given = (planned.get(each) for each in names)
    name = next((each for each in given if isinstance(each, str)), kind)
    if type_ == "aws_lambda_alias":
        name = f"{planned['function_name']}:{name}"
    account = ":" if service == "s3" else "eu-west-1:111122223333"
    arn = f"arn:aws:{service}:{account}:{KINDS_IN_ARNS.get(type_, f'{kind}/')}{name}"
    url = f"https://sqs.eu-west-1.amazonaws.com/111122223333/{name}"
    values: dict[str, Any] = {
        "arn": arn,
        "bucket": name,
        "function_name": name,
        "invoke_arn": f"{APIGATEWAY}/{arn}/invocations",
        "url": url,
        "name": name,
        "id": {"aws_sqs_queue": url, "aws_sns_topic": arn, "aws_sfn_state_machine": arn}.get(
            type_, name
        ),
        "qualified_arn": f"{arn}:1",
        "stream_arn": f"{arn}/stream/2026",
        "version": "1",
    }
    result: dict[str, Any] = {}
    for key, value in planned.items():
        nested = described["blocks"].get(key)
        if nested and isinstance(value, list):
            result[key] = [_made(type_, nested["block"], each) for each in value]
        elif value == UNKNOWN:
            is_text = described["attributes"][key]["type"] == "string"
            result[key] = values.get(key, f"{key} of {name}") if is_text else None
        else:
            result[key] = value
    return result


def _read(name: str, described: Schema, given: dict[str, Any]) -> dict[str, Any]:
    """Return a data source's attributes; of what is in an account, plausible ones."""
    result = dict(given)
    for attribute, about in described["attributes"].items():
        if about.get("computed") and result.get(attribute) is None and about["type"] == "string":
            kind = name.removeprefix("aws_")
            named = given.get("name") or given.get("function_name") or given.get("bucket") or "x"
            result[attribute] = {
                "account_id": "111122223333",
                "name": "eu-west-1",
                "partition": "aws",
                "json": json.dumps(_policy(given)),
                "url": f"https://sqs.eu-west-1.amazonaws.com/111122223333/{named}",
            }.get(attribute, f"arn:aws:{kind.split('_')[0]}:eu-west-1:111122223333:{named}")
    return result


def _policy(given: dict[str, Any]) -> dict[str, Any]:
    """Return what `aws_iam_policy_document` prints."""

    def one(values: list[str]) -> Any:
        return values[0] if len(values) == 1 else values

    statements = [
        statement
        for document in given.get("source_policy_documents") or []
        for statement in json.loads(document)["Statement"]
    ]
    for each in given.get("statement") or []:
        statement: dict[str, Any] = {"Effect": each["effect"] or "Allow"}
        if each["sid"]:
            statement["Sid"] = each["sid"]
        statement["Action"] = one(each["actions"] or [])
        if each["resources"]:
            statement["Resource"] = one(each["resources"])
        if each["principals"]:
            statement["Principal"] = {p["type"]: one(p["identifiers"]) for p in each["principals"]}
        for condition in each["condition"]:
            tests = statement.setdefault("Condition", {}).setdefault(condition["test"], {})
            tests[condition["variable"]] = one(condition["values"])
        statements.append(statement)
    return {"Version": "2012-10-17", "Statement": statements}
