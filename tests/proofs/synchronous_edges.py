"""Breaks each synchronous edge of a deployed project, and says what the smoke test makes of it.

    python synchronous_edges.py PROJECT [SOURCE-TARGET ...]

It prints one line of JSON: for each edge, whether the smoke test passed while the edge was broken;
under `whole`, whether it passed before and after. An edge is broken from outside, as an operator's
mistake would: a function may not run, a role may not call, a system does not take connections.
"""

import json
import shlex
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sls_patterns_cli import catalog
from sls_patterns_cli.local import session
from sls_patterns_cli.local.emulator import tether
from sls_patterns_cli.terminal.progress import Progress

PATTERNS = catalog.template_root() / "templates/patterns"
RUNNER = {"python": ("-m", "smoke", "-x", "-q"), "typescript": ("--tags-filter=smoke",)}
# What a role calls a service by in the actions of a policy.
SERVICES = {
    "dynamodb": "dynamodb",
    "queue": "sqs",
    "topic": "sns",
    "event-bus": "events",
    "stream": "kinesis",
    "delivery": "firehose",
    "state-machine": "states",
    "secret": "secretsmanager",
    "bucket": "s3",
    "cache": "elasticache",
}


class Deployed:
    """A project's stack on the local stack, and the ways to break its edges."""

    def __init__(self, stack: Any) -> None:
        self._stack = stack
        self._runs = 0
        self.client: Callable[[str], Any] = stack.emulator.client
        project = stack.project
        graph = PATTERNS / project.pattern / f"graphs/{project.topology}-{project.datastore}.json"
        self.graph: dict[str, Any] = json.loads(graph.read_text())
        cloudformation = self.client("cloudformation")
        self._parameters = {
            each["ParameterKey"]: each["ParameterValue"]
            for each in cloudformation.describe_stacks(StackName=project.stack_name)["Stacks"][0][
                "Parameters"
            ]
        }
        self._resources = {
            each["LogicalResourceId"]: each
            for each in cloudformation.describe_stack_resources(StackName=project.stack_name)[
                "StackResources"
            ]
        }

    def edges(self) -> Iterator[tuple[str, str]]:
        """Yield the synchronous edges; of those from callers outside, only those to functions.

        Not those that apply migrations: without them the deployment itself fails.
        """
        nodes = self.graph["nodes"]
        for edge in self.graph["edges"]:
            called = "function" if nodes[edge["from"]]["kind"] == "client" else None
            if edge.get("access") == "own":
                continue
            if edge["call"] == "sync" and called in {None, nodes[edge["to"]]["resource"]}:
                yield edge["from"], edge["to"]

    def smoke_passes(self) -> bool:
        """Run the smoke test, with functions that have nothing in memory of an earlier run."""
        self._start_functions_again()
        stack = self._stack
        command, variables = stack.language.test_command(RUNNER[stack.project.runtime])
        environment = {
            **stack.emulator.client_environment(variables),
            **stack.controls,
            **stack.credentials,
            "STACK_NAME": stack.project.stack_name,
            "PATH": session._path_with_this_tool(stack.project, variables),
            "LOCAL_DEPLOY": f"{shlex.quote(sys.executable)} -m sls_patterns_cli.local.redeploy",
            "FORCE": "1",
        }
        environment.pop("VIRTUAL_ENV", None)
        done = tether.run(command, cwd=stack.project.root, env=environment)
        return bool(done.returncode == 0)

    def _start_functions_again(self) -> None:
        lambda_ = self.client("lambda")
        self._runs += 1
        for name in self.graph["functions"]:
            function = self._physical(self.graph["nodes"][name]["id"])
            configuration = lambda_.get_function_configuration(FunctionName=function)
            variables = configuration.get("Environment", {}).get("Variables", {})
            lambda_.update_function_configuration(
                FunctionName=function,
                Environment={"Variables": {**variables, "SMOKE_RUN": str(self._runs)}},
            )

    @contextmanager
    def broken(self, source: str, target: str) -> Iterator[None]:
        """Break one edge until the end of the block."""
        node = self.graph["nodes"][target]
        match node["resource"]:
            case "function":
                with self._unable_to_run(self._physical(node["id"])):
                    yield
            case "remote-function":
                (arn,) = (v for k, v in self._parameters.items() if k.startswith(node["id"]))
                with self._unable_to_run(arn.rpartition(":function:")[2].partition(":")[0]):
                    yield
            case "external" if self.graph["nodes"][source]["resource"] == "function":
                # Not the stand-in: the smoke test may say how it answers.
                variable = f"{target.upper().replace('-', '_')}_URL"
                with self._with_variable(source, variable, "http://127.0.0.1:9"):
                    yield
            case "external" | "openid-provider":
                with self._gone(node["id"]):
                    yield
            case "aurora-postgresql":
                # Not stopped: proofs find and undo that.
                with self._with_variable(source, "PGPORT", "9"):
                    yield
            case resource:
                with self._denied(
                    self._roles(source), SERVICES[resource], self._physical(node["id"])
                ):
                    yield

    def _physical(self, logical_id: str) -> str:
        """Return the name of a resource: an ARN's or address's last part."""
        found: str = self._resources[logical_id]["PhysicalResourceId"]
        return found.rpartition("/")[2].rpartition(":")[2]

    @contextmanager
    def _unable_to_run(self, function: str) -> Iterator[None]:
        """Give the function a handler that is not there.

        Throttling it would not do: proofs find and undo that.
        """
        with self._configured(function, Handler="missing.handler"):
            yield

    @contextmanager
    def _with_variable(self, source: str, name: str, value: str) -> Iterator[None]:
        function = self._physical(self.graph["nodes"][source]["id"])
        configuration = self.client("lambda").get_function_configuration(FunctionName=function)
        variables = configuration["Environment"]["Variables"]
        assert name in variables
        with self._configured(function, Environment={"Variables": {**variables, name: value}}):
            yield

    @contextmanager
    def _configured(self, function: str, **change: Any) -> Iterator[None]:
        """Change a function's configuration, and that of the version that its alias leads to."""
        lambda_ = self.client("lambda")
        before = lambda_.get_function_configuration(FunctionName=function)
        lambda_.update_function_configuration(FunctionName=function, **change)
        aliases = lambda_.list_aliases(FunctionName=function)["Aliases"]
        version = lambda_.publish_version(FunctionName=function)["Version"] if aliases else ""
        for alias in aliases:
            lambda_.update_alias(FunctionName=function, Name=alias["Name"], FunctionVersion=version)
        try:
            yield
        finally:
            kept = {name: before[name] for name in change}
            lambda_.update_function_configuration(FunctionName=function, **kept)
            for alias in aliases:
                lambda_.update_alias(
                    FunctionName=function,
                    Name=alias["Name"],
                    FunctionVersion=alias["FunctionVersion"],
                )

    @contextmanager
    def _gone(self, name: str) -> Iterator[None]:
        self._tell(name, {"gone": True})
        try:
            yield
        finally:
            self._tell(name, {})

    def _tell(self, name: str, answer: dict[str, Any]) -> None:
        (control,) = (url for key, url in self._stack.controls.items() if key.startswith(name))
        request = urllib.request.Request(  # noqa: S310 (an address of the local stack)
            f"{control}/answer", json.dumps(answer).encode(), method="PUT"
        )
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310

    @contextmanager
    def _denied(self, roles: list[str], service: str, name: str) -> Iterator[None]:
        iam = self.client("iam")
        resources = [f"*{name}", f"*{name}/*", f"*{name}:*", f"*{name}-*"]
        deny = {"Effect": "Deny", "Action": f"{service}:*", "Resource": resources}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        for role in roles:
            iam.put_role_policy(RoleName=role, PolicyName="broken", PolicyDocument=policy)
        try:
            yield
        finally:
            for role in roles:
                iam.delete_role_policy(RoleName=role, PolicyName="broken")

    def _roles(self, source: str) -> list[str]:
        node = self.graph["nodes"][source]
        if node["resource"] == "function":
            configuration = self.client("lambda").get_function_configuration(
                FunctionName=self._physical(node["id"])
            )
            return [configuration["Role"].rpartition("/")[2]]
        service = {"state-machine": "states"}.get(node["resource"], "apigateway")
        roles = [
            each["PhysicalResourceId"]
            for each in self._resources.values()
            if each["ResourceType"] == "AWS::IAM::Role"
        ]
        return [role for role in roles if service in json.dumps(self._trust(role))]

    def _trust(self, role: str) -> Any:
        return self.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]


def main(project: Path, chosen: list[str]) -> dict[str, bool]:
    with session._stack(project, Progress()) as stack:
        deployed = Deployed(stack)
        passed = {"whole": deployed.smoke_passes()}
        for source, target in dict.fromkeys(deployed.edges()):
            if not chosen or f"{source}-{target}" in chosen:
                with deployed.broken(source, target):
                    passed[f"{source}-{target}"] = deployed.smoke_passes()
        passed["whole"] &= deployed.smoke_passes()
    return passed


if __name__ == "__main__":
    path, *edges = sys.argv[1:]
    print(json.dumps(main(Path(path), edges)))
