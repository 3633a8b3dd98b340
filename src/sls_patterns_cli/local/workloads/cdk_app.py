"""Synthesises a CDK app with the packages that it asks for."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator.names import ACCOUNT
from sls_patterns_cli.local.flavours import cdk
from sls_patterns_cli.local.languages import interpreters, modules, uv
from sls_patterns_cli.local.workloads.building import ESBUILD, npm
from sls_patterns_cli.terminal.progress import Progress

ASSET_METADATA = {"aws:cdk:enable-asset-metadata": True}
"""With this context CDK says of nested stacks where their templates are, as its CLI wants it."""

PYTHON = "python3.13"
"""What runs an app in Python, or the nearest one that is here."""

NODE = "nodejs22.x"
"""The same for the programs in JavaScript that an app calls."""

REQUIREMENTS = "requirements.txt"

DOCKER_IS_MISSING = "docker ENOENT"
"""What CDK says when it wants to bundle with Docker and there is none."""


def synthesise(root: Path, work: Path, region: str, progress: Progress) -> tuple[Path, bool]:
    """Run the app of a folder; return what it has written, and whether that has sources.

    Sources are left as they are where CDK wants Docker to bundle them, and Docker is not here.
    Raises UserError.
    """
    settings = cdk.read_settings(root / "cdk.json")
    context = {**settings.get("context", {}), **ASSET_METADATA}
    variables = {
        **_environment(root, work, progress),
        "CDK_DEFAULT_ACCOUNT": ACCOUNT,
        "CDK_DEFAULT_REGION": region,
    }
    output = work / "cdk.out"
    for without_bundling in ({}, cdk.WITHOUT_BUNDLING):
        shutil.rmtree(output, ignore_errors=True)
        try:
            with progress.step(f"Synthesising the CDK app of {root.name}"):
                asked = {**context, **without_bundling}
                cdk.run_app(root, settings["app"], output, variables, asked)
        except UserError as error:
            if DOCKER_IS_MISSING not in error.log or without_bundling:
                raise
        else:
            break
    return output, bool(without_bundling)


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
    folders.append(_esbuild(work, progress))
    path = os.pathsep.join([*map(str, folders), variables.get("PATH", os.defpath)])
    return {**variables, "PATH": path}


def _esbuild(work: Path, progress: Progress) -> Path:
    """The folder of an esbuild, by which CDK bundles without Docker where the app has none."""
    folder = work / "esbuild"
    if not uv.is_current(folder, ESBUILD):
        with progress.step("Installing esbuild for the CDK app"):
            node, _notice = interpreters.find(NODE)
            npm(folder, {"name": "tools", "dependencies": {"esbuild": ESBUILD}}, [], node)
        uv.mark_current(folder, ESBUILD)
    return folder / modules.FOLDER / ".bin"
