"""Serverless caches: a cluster to connect to, with TLS and by its name, for those who may."""

import json
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
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


GUARDED = """
Resources:
  User:
    Type: AWS::ElastiCache::User
    Properties:
      Engine: valkey
      UserId: guarded-pages
      UserName: guarded-pages
      AuthenticationMode: {Type: iam}
      AccessString: on ~page:* -@all +get +set
  Group:
    Type: AWS::ElastiCache::UserGroup
    Properties:
      Engine: valkey
      UserGroupId: guarded-pages
      UserIds: [!Ref User]
  Cache:
    Type: AWS::ElastiCache::ServerlessCache
    Properties:
      ServerlessCacheName: guarded-pages
      Engine: valkey
      UserGroupId: !Ref Group
  Member: &function
    Type: AWS::Serverless::Function
    Properties: &properties
      Environment:
        Variables:
          PAGES_URL: !Sub rediss://${Cache}@${Cache.Endpoint.Address}:${Cache.Endpoint.Port}
      Policies:
        - Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action: elasticache:Connect
              Resource: [!GetAtt Cache.ARN, !GetAtt User.Arn]
      InlineCode: |
        import os
        KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "SSL_CERT_FILE")
        def handler(event, context):
            return [os.environ[key] for key in KEYS]
  Stranger:
    <<: *function
    Properties:
      <<: *properties
      Policies:
        - Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action: elasticache:Connect
              Resource: [!GetAtt Cache.ARN] # the user is missing
Outputs:
  Host: {Value: !GetAtt Cache.Endpoint.Address}
  Port: {Value: !GetAtt Cache.Endpoint.Port}
  Member: {Value: !Ref Member}
  Stranger: {Value: !Ref Stranger}
"""
NAME = "guarded-pages"
WRONG = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"


class Guarded:
    """A cache with a user group, as functions reach it with the credentials of their roles."""

    def __init__(self, outputs: dict[str, str], client: Client) -> None:
        self._outputs = outputs
        self._client = client
        self.region = str(client("lambda").meta.region_name)

    def token(self, function: str, **changes: Any) -> str:
        """Return what the function's role signs; a part of it changed."""
        key, secret, session, _ = self._credentials(function)
        query = {"Action": "connect", "User": NAME, "ResourceType": "ServerlessCache"}
        query |= {name: value for name, value in changes.items() if name in query}
        region = changes.get("region", self.region)
        request = AWSRequest("GET", f"https://{changes.get('cache', NAME)}/", params=query)
        signer = SigV4QueryAuth(
            Credentials(key, secret, session), "elasticache", region, expires=900
        )
        signed_at = datetime.now(UTC) - changes.get("age", timedelta())
        with patch("botocore.auth.get_current_datetime", return_value=signed_at):
            signer.add_auth(request)
        return str(request.url).removeprefix("https://")

    def says(self, *commands: str) -> str:
        """Return the answers to commands of one connection."""
        *_, authority = self._credentials("Member")
        context, port = ssl.create_default_context(cafile=authority), int(self._outputs["Port"])
        answers = ""
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=self._outputs["Host"]) as connection,
        ):
            for command in commands:
                connection.sendall(f"{command}\r\n".encode())
                answers += connection.recv(65536).decode()
        return answers

    def _credentials(self, function: str) -> list[str]:
        answer = self._client("lambda").invoke(FunctionName=self._outputs[function])
        found: list[str] = json.load(answer["Payload"])
        return found


@pytest.fixture(scope="module")
def guarded_outputs(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(GUARDED, "guarded-cache")


@pytest.fixture
def guarded(guarded_outputs: dict[str, str], client: Client) -> Guarded:
    return Guarded(guarded_outputs, client)


def test_a_role_that_may_connect_does_what_its_user_may(guarded: Guarded) -> None:
    sign_in = f"AUTH guarded-pages {guarded.token('Member')}"

    assert guarded.says(sign_in, "SET page:1 one", "GET page:1") == "+OK\r\n+OK\r\n$3\r\none\r\n"
    assert "-NOPERM" in guarded.says(sign_in, "DEL page:1")
    assert "-NOPERM" in guarded.says(sign_in, "GET secret:1")
    hello = f"HELLO 2 AUTH guarded-pages {guarded.token('Member')}"
    assert "$3\r\none\r\n" in guarded.says(hello, "GET page:1")


def test_nobody_else_reaches_it(guarded: Guarded) -> None:
    assert guarded.says("GET page:1") == "-NOAUTH Authentication required.\r\n"
    assert guarded.says(f"AUTH guarded-pages {guarded.token('Stranger')}") == WRONG
    assert guarded.says("AUTH guarded-pages guarded-pages") == WRONG
    assert guarded.says(f"AUTH administrator {guarded.token('Member')}") == WRONG


@pytest.mark.parametrize(
    "change",
    [
        {"age": timedelta(minutes=16)},
        {"cache": "other-pages"},
        {"User": "other-pages"},
        {"ResourceType": "ReplicationGroup"},
        {"region": "eu-north-1"},
    ],
    ids=str,
)
def test_a_token_is_for_one_cache_and_user_and_a_quarter_of_an_hour(
    guarded: Guarded, change: dict[str, Any]
) -> None:
    assert guarded.says(f"AUTH guarded-pages {guarded.token('Member', **change)}") == WRONG


def test_a_token_of_14_minutes_is_valid(guarded: Guarded) -> None:
    token = guarded.token("Member", age=timedelta(minutes=14))

    assert guarded.says(f"AUTH guarded-pages {token}") == "+OK\r\n"


def test_what_was_signed_cannot_be_changed(guarded: Guarded) -> None:
    token = guarded.token("Member", age=timedelta(minutes=14))
    longer = token.replace("X-Amz-Expires=900", "X-Amz-Expires=899")

    assert guarded.says(f"AUTH guarded-pages {longer}") == WRONG


def test_a_deployment_changes_who_may_do_what(guarded: Guarded, deploy_stack: DeployStack) -> None:
    sign_in = f"AUTH guarded-pages {guarded.token('Member')}"

    deploy_stack(GUARDED.replace("+get +set", "+get +set +del"), "guarded-cache")
    assert guarded.says(sign_in, "DEL page:2") == "+OK\r\n:0\r\n"

    deploy_stack(GUARDED.replace("      UserGroupId: !Ref Group\n", ""), "guarded-cache")
    assert guarded.says("GET page:2") == "$-1\r\n"

    deploy_stack(GUARDED, "guarded-cache")
    assert guarded.says("GET page:2") == "-NOAUTH Authentication required.\r\n"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "{Type: iam}",
            "{Type: password, Passwords: [a-long-password-16]}",
            "AuthenticationMode iam",
        ),
        ("UserName: guarded-pages", "UserName: other", "one UserId and UserName"),
        ("on ~page:*", "on nopass ~page:*", "must not say nopass"),
        ("-@all +get", "-@all +fetch", "Valkey refuses the access string"),
        ("UserGroupId: !Ref Group", "UserGroupId: other", "there is no user group other"),
    ],
)
def test_a_group_that_aws_would_refuse_is_refused(
    deploy_stack: DeployStack, old: str, new: str, reason: str
) -> None:
    wrong = GUARDED.replace("guarded-pages", "wrong-pages").replace(
        old.replace("guarded-pages", "wrong-pages"), new
    )

    with pytest.raises(Exception, match=reason):
        deploy_stack(wrong, "wrong-cache")
