"""Deploys a project in the place of the one that `local test` has deployed: a proof runs it.

`python -m sls_patterns_cli.local.redeploy FOLDER`, with the variables that `local test` gives to
proofs. The stack keeps its parameters.
"""

import os
import sys
from pathlib import Path

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import deploy, flavours, languages
from sls_patterns_cli.local import project as projects
from sls_patterns_cli.local.emulator.server import Address
from sls_patterns_cli.terminal.progress import Progress


def main(folder: Path) -> None:
    """Deploy the project in `folder`; raises UserError.

    AWS_ENDPOINT_URL, AWS_REGION and STACK_NAME say where.
    """
    project = projects.load(folder)
    emulator = Address(os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"])
    assembly = flavours.of(project, languages.of(project, Progress())).assemble()
    deploy.upload(emulator, assembly.packages)
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
