"""The SAM, CDK and AWS CLIs that users deploy with work on the local stack as on AWS.

A stack of its own beside that of `local up`, by the generated Makefile: deployed, sent a webhook by
the README's commands, its dead letter redriven, deleted.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pexpect
import pytest
from local.support import wait_until
from rendering import render_project
from synthesis import template_file
from tools import TIME_LIMIT, run, tool
from variants import Variant, all_variants

from sls_patterns_cli import catalog
from sls_patterns_cli.cloudformation.document import read

STACK = "by-hand"
SLS_PATTERNS = Path(sys.executable).with_name("sls-patterns")
VARIANTS = [
    variant
    for variant in all_variants()
    if (variant.pattern, variant.topology, variant.runtime, variant.datastore)
    == ("scalable-webhook", "function", "python", "dynamodb")
]
LAMBDAS_PROCESSOR = {
    "template.yaml": ("[arm64]", "[x86_64]"),
    "infrastructure/stack.py": ("Architecture.ARM_64", "Architecture.X86_64"),
    "infrastructure/bundling.py": ("aarch64-manylinux_2_28", "x86_64-manylinux_2_28"),
    "Makefile": ("aarch64-manylinux_2_28", "x86_64-manylinux_2_28"),
}
"""Where a project says for which processor it is built, and what it says for an x86-64 machine."""

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(platform.system() != "Linux", reason="what Lambda runs is built for Linux"),
    pytest.mark.skipif(not shutil.which("aws"), reason="needs the AWS CLI"),
    pytest.mark.skipif(not shutil.which("python3.13"), reason="sam build needs python3.13"),
]


@dataclass(frozen=True)
class Deployment:
    """A project whose tools find the local stack by the variables `environment`."""

    project: Path
    environment: dict[str, str]

    def make(self, *targets: str) -> str:
        """Run targets for a stack of its own, and answer yes to what they ask."""
        command = ["sh", "-c", 'yes | make "$@"', "make", *targets, f"STACK={STACK}"]
        return run(command, self.project, **self.environment)

    def deploy_in_terminal(self, answer: str) -> str:
        """Run `make deploy` under a pseudo-terminal, and answer what it asks."""
        make = pexpect.spawn(
            str(shutil.which("make")),
            ["deploy", f"STACK={STACK}"],
            cwd=self.project,
            env={name: value for name, value in os.environ.items() if name != "CI"}
            | self.environment,
            encoding="utf-8",
            timeout=TIME_LIMIT,
        )
        printed = []
        for question in (r"(\[y/N\]|\(y/n\))", pexpect.EOF):
            make.expect(question)
            printed.append(make.before or "")
            if question is not pexpect.EOF:
                make.sendline(answer)
        make.close()
        return "".join(printed)

    def client(self, service: str) -> Any:
        create: Any = boto3.client  # its type knows only the services whose types are installed
        return create(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    def is_deployed(self) -> bool:
        stacks = self.client("cloudformation").list_stacks()["StackSummaries"]
        return any(
            stack["StackName"] == STACK and stack["StackStatus"] == "CREATE_COMPLETE"
            for stack in stacks
        )

    def outputs(self) -> dict[str, str]:
        (stack,) = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        assert stack["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def send_webhook(self, outputs: dict[str, str]) -> None:
        """Send what the README sends; each event is stored under the second it is sent in."""
        (example,) = (
            each.command
            for each in catalog.pattern("scalable-webhook").examples
            if each.title == "Send a signed webhook"
        )
        printed = run(["bash", "-euc", example], self.project, **self.environment, **outputs)
        assert " 202 " in printed

    def stored(self, outputs: dict[str, str]) -> list[str]:
        items = self.client("dynamodb").scan(TableName=outputs["EventsTableName"])["Items"]
        return [item["id"]["S"] for item in items]

    @contextmanager
    def deliveries_waiting(self, outputs: dict[str, str]) -> Iterator[None]:
        """In the block nobody takes what is in the queue."""
        functions = self.client("lambda")
        (mapping,) = functions.list_event_source_mappings(
            FunctionName=outputs["ProcessFunctionName"]
        )["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        yield
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    def fail_a_delivery(self, outputs: dict[str, str]) -> None:
        """Receive the delivery in the queue, and never delete it, until it is a dead letter."""
        queues = self.client("sqs")

        def dead() -> bool:
            queues.receive_message(QueueUrl=outputs["DeliveriesQueueUrl"], VisibilityTimeout=0)
            return self.dead_letters(outputs) == 1

        wait_until(dead)

    def dead_letters(self, outputs: dict[str, str]) -> int:
        counted = "ApproximateNumberOfMessages"
        attributes = self.client("sqs").get_queue_attributes(
            QueueUrl=outputs["DeliveriesDeadLetterQueueUrl"], AttributeNames=[counted]
        )["Attributes"]
        return int(attributes[counted])


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_stack_lives_by_the_tools_that_deploy_to_aws(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    if platform.machine() == "x86_64":
        build_for_x86_64(project)
    expected = set(read(template_file(project))["Outputs"])
    if variant.iac == "cdk":
        run(["make", "install"], project)

    with local_up(project) as exported:
        deployment = Deployment(project, tools_environment(tmp_path / "bin", exported))
        if variant.iac == "cdk":
            deployment.make("bootstrap")
        assert "DeliveriesQueue" in deployment.deploy_in_terminal("n")
        assert not deployment.is_deployed()
        assert "DeliveriesQueue" in deployment.deploy_in_terminal("y")
        outputs = deployment.outputs()
        assert set(outputs) == expected
        if variant.iac == "cdk":
            assert "There were no differences" in deployment.make("diff")

        deployment.send_webhook(outputs)
        wait_until(lambda: len(deployment.stored(outputs)) == 1)

        with deployment.deliveries_waiting(outputs):
            deployment.send_webhook(outputs)
            deployment.fail_a_delivery(outputs)
        assert "DeliveriesDeadLetterQueue: " in deployment.make("dead-letters")
        assert "DeliveriesDeadLetterQueue: 1 sent back" in deployment.make("redrive")
        wait_until(lambda: len(deployment.stored(outputs)) == 2)
        assert deployment.dead_letters(outputs) == 0

        deployment.make("delete")
        cloudformation = deployment.client("cloudformation")
        with pytest.raises(cloudformation.exceptions.ClientError, match="does not exist"):
            cloudformation.describe_stacks(StackName=STACK)


def build_for_x86_64(project: Path) -> None:
    for name, (lambdas, ours) in LAMBDAS_PROCESSOR.items():
        file = project / name
        if file.exists() and not (name == "Makefile" and (project / "infrastructure").exists()):
            assert file.read_text().count(lambdas) == 1
            file.write_text(file.read_text().replace(lambdas, ours))


@contextmanager
def local_up(project: Path) -> Iterator[dict[str, str]]:
    """`sls-patterns local up` for the project: the variables that it says to export for AWS."""
    printed = project.with_name("printed")
    with printed.open("w") as log:
        process = subprocess.Popen(
            [SLS_PATTERNS, "local", "up", project], stdout=log, stderr=subprocess.STDOUT
        )

    def ready() -> bool:
        assert process.poll() is None, printed.read_text()
        return "Ctrl-C stops everything" in printed.read_text()

    try:
        wait_until(ready, 300)
        exports = (
            line.removeprefix("export ").split("=", 1)
            for line in printed.read_text().splitlines()
            if line.startswith("export AWS_")
        )
        yield dict(exports)
    finally:
        process.terminate()
        process.wait(30)


def tools_environment(folder: Path, exported: dict[str, str]) -> dict[str, str]:
    """Return what the tools see: what `local up` says, and no settings of this machine's user."""
    folder.mkdir()
    (folder / "sam").symlink_to(tool("SLS_SAM"))
    aws = shutil.which("aws")
    if run(["aws", "--version"], folder).startswith("aws-cli/1."):
        # It calls SQS at AWS unless an option, and no variable, says where: docs/local-stack.md.
        (folder / "aws").write_text(
            f'#!/bin/sh\nexec {aws} --endpoint-url "$AWS_ENDPOINT_URL" "$@"\n'
        )
        (folder / "aws").chmod(0o755)
    return {
        **exported,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        "CDK_DISABLE_CLI_TELEMETRY": "1",
    }
