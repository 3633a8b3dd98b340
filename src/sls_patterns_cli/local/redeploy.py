"""Deploys a project in the place of the one that `local test` has deployed: a proof runs it.

`python -m sls_patterns_cli.local.redeploy FOLDER`, with the variables that `local test` gives to
proofs. The stack keeps its parameters.
"""

import os
import sys
from pathlib import Path
from typing import Any

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import deploy, flavours, languages
from sls_patterns_cli.local import project as projects
from sls_patterns_cli.terminal.progress import Progress


class Running:
    """The emulator of the proofs, as deployments see it."""

    def __init__(self) -> None:
        self.url = os.environ["AWS_ENDPOINT_URL"]
        self.region = os.environ["AWS_REGION"]

    def client(self, service: str) -> Any:
        import boto3

        create: Any = boto3.client
        return create(service, endpoint_url=self.url, region_name=self.region)


def main(folder: Path) -> None:
    """Deploy the project in `folder`; raises UserError.

    AWS_ENDPOINT_URL, AWS_REGION and STACK_NAME say where.
    """
    project, emulator = projects.load(folder), Running()
    language = languages.of(project, Progress())
    assembly = flavours.of(project, language).assemble()
    deploy.upload(emulator, {key: language.package(code) for key, code in assembly.code.items()})
    stack = os.environ["STACK_NAME"]
    cloudformation = emulator.client("cloudformation")
    (before,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    kept = {each["ParameterKey"]: each["ParameterValue"] for each in before["Parameters"]}
    deploy.deploy(emulator, stack, assembly.template, kept)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except UserError as error:
        sys.exit(str(error))
