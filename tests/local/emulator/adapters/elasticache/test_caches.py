"""Serverless caches: a cluster to connect to, with TLS and by its name."""

import json
import socket
import ssl
from pathlib import Path

import pytest
from local.support import Client, DeployStack

CACHE = """
Resources:
  Cache:
    Type: AWS::ElastiCache::ServerlessCache
    Properties:
      ServerlessCacheName: !Sub
        - pages-${Unique}
        - Unique: !Select [4, !Split ["-", !Select [2, !Split ["/", !Ref AWS::StackId]]]]
      Engine: valkey
      MajorEngineVersion: "8"
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Environment:
        Variables:
          PAGES_URL: !Sub rediss://${Cache.Endpoint.Address}:${Cache.Endpoint.Port}
      InlineCode: |
        import os
        def handler(event, context):
            return [os.environ["PAGES_URL"], os.environ["SSL_CERT_FILE"]]
Outputs:
  Name: {Value: !Ref Cache}
  Host: {Value: !GetAtt Cache.Endpoint.Address}
  Port: {Value: !GetAtt Cache.Endpoint.Port}
  Function: {Value: !Ref Function}
"""


@pytest.fixture(scope="module")
def outputs(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(CACHE, "cache")


@pytest.fixture
def authority(outputs: dict[str, str], client: Client) -> Path:
    """Return the file that the function trusts."""
    answer = client("lambda").invoke(FunctionName=outputs["Function"])
    url, file = json.load(answer["Payload"])
    assert url == f"rediss://{outputs['Host']}:{outputs['Port']}"
    return Path(file)


def ask(outputs: dict[str, str], authority: Path, command: str, name: str = "") -> str:
    """Send a command over TLS, to a server of this name; return the answer's first piece."""
    context = ssl.create_default_context(cafile=authority)
    host, port = "127.0.0.1", int(outputs["Port"])
    with (
        socket.create_connection((host, port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name or outputs["Host"]) as connection,
    ):
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(65536).decode()


def test_it_keeps_what_it_is_given(outputs: dict[str, str], authority: Path) -> None:
    assert ask(outputs, authority, "SET page one") == "+OK\r\n"
    assert ask(outputs, authority, "GET page") == "$3\r\none\r\n"


def test_one_node_has_all_slots_and_is_known_by_its_name(
    outputs: dict[str, str], authority: Path
) -> None:
    slots = ask(outputs, authority, "CLUSTER SLOTS").split("\r\n")

    assert slots[0] == "*1"
    assert slots[2:4] == [":0", ":16383"]
    assert slots[6:8] == [outputs["Host"], f":{outputs['Port']}"]


def test_it_evicts_only_what_expires(outputs: dict[str, str], authority: Path) -> None:
    assert "volatile-lru" in ask(outputs, authority, "CONFIG GET maxmemory-policy")


def test_it_takes_nothing_but_tls(outputs: dict[str, str], authority: Path) -> None:
    with socket.create_connection(("127.0.0.1", int(outputs["Port"])), timeout=5) as plain:
        plain.sendall(b"PING\r\n")
        assert b"PONG" not in plain.recv(64)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"127\.0\.0\.1"):
        ask(outputs, authority, "PING", name="127.0.0.1")


def test_its_name_is_no_longer_than_aws_takes(outputs: dict[str, str]) -> None:
    assert outputs["Name"].startswith("pages-")
    assert len(outputs["Name"]) <= 40
