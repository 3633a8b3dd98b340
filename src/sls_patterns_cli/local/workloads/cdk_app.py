"""Synthesises a CDK app with the packages that it asks for."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from sls_patterns_cli.local.flavours import cdk
from sls_patterns_cli.local.languages import interpreters, modules, uv
from sls_patterns_cli.terminal.progress import Progress

ASSET_METADATA = {"aws:cdk:enable-asset-metadata": True}
"""With this context CDK says of nested stacks where their templates are, as its CLI wants it."""

PYTHON = "python3.13"
"""What runs an app in Python, or the nearest one that is here."""

REQUIREMENTS = "requirements.txt"


def synthesise(root: Path, work: Path, region: str, progress: Progress) -> Path:
    """Run the app of a folder; return the folder that it has written. Raises UserError."""
    settings = cdk.read_settings(root / "cdk.json")
    context = {**settings.get("context", {}), **ASSET_METADATA}
    variables = {**_environment(root, work, progress), "CDK_DEFAULT_REGION": region}
    output = work / "cdk.out"
    shutil.rmtree(output, ignore_errors=True)
    with progress.step(f"Synthesising the CDK app of {root.name}"):
        cdk.run_app(root, settings["app"], output, variables, context)
    return output


def _environment(root: Path, work: Path, progress: Progress) -> Mapping[str, str]:
    """The variables of the app, with what it asks for installed: in its folder, or in ours."""
    variables, folders = dict(os.environ), [root / "node_modules/.bin"]
    manifest, requirements = root / modules.MANIFEST, root / REQUIREMENTS
    if manifest.is_file() and not (root / modules.FOLDER).is_dir():
        with progress.step(f"Installing the packages of {modules.MANIFEST}"):
            modules.run(["npm", *modules.INSTALL], root, variables, "npm install")
    if requirements.is_file():
        own = root / ".venv"
        environment = own if own.is_dir() else work / "venv"
        stamp = uv.fingerprint([requirements])
        if environment != own and not uv.is_current(environment, stamp):
            interpreter, _notice = interpreters.find(PYTHON)
            with progress.step(f"Installing {REQUIREMENTS} for the CDK app"):
                python = str(interpreter.executable)
                uv.run(root, "venv", "--quiet", "--clear", "--python", python, str(environment))
                uv.install(root, environment / "bin/python", uv.named([requirements]))
            uv.mark_current(environment, stamp)
        folders.insert(0, environment / "bin")
    path = os.pathsep.join([*map(str, folders), variables.get("PATH", os.defpath)])
    return {**variables, "PATH": path}
