"""The packages that a runtime has besides its interpreter: the AWS SDK, and what inline code gets.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-lambda-function-code-cfnresponsemodule.html
"""

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from sls_patterns_cli.local.languages import modules, uv
from sls_patterns_cli.local.languages.interpreters import Interpreter
from sls_patterns_cli.local.workloads.building import NOT_CODE, npm
from sls_patterns_cli.terminal.progress import Progress

PYTHON = ("boto3", "cfnresponse", "pip")
"""The packages of PyPI that Python runtimes have."""

LAYERS = {"AWSLambdaPowertoolsPython": "aws-lambda-powertools[all]"}
"""The packages of public layers, by a part of the layer's name."""

NODE = re.compile(r"""["'](@aws-sdk/[\w-]+|@smithy/[\w-]+|aws-sdk|cfn-response)\b""")
"""What code for Node.js names of what its runtime may have."""

SCRIPTS = {".js", ".mjs", ".cjs", ".ts", ".mts"}

LAST_WITH_SDK_2 = 16
"""The last Node.js whose runtime has version 2 of the SDK; newer ones have version 3."""


def python(folder: Path, interpreter: Interpreter, layers: Iterable[str], show: Progress) -> Path:
    """Install what a Python runtime has, with the packages of known layers; return the folder."""
    names = [*PYTHON]
    names += [package for part, package in LAYERS.items() if any(part in each for each in layers)]
    wanted = uv.Wanted(
        names, "the runtime's packages for the functions", ",".join(names), folder.parent
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # A function imports few of their modules, which its first invocation compiles.
    return uv.into_folder(folder, interpreter.executable, wanted, show, compiled=False)


def node(
    folder: Path, interpreter: Interpreter, runtime: str, named: set[str], show: Progress
) -> Path:
    """Install those packages that code names and a Node.js runtime has; return node_modules."""
    has_sdk_2 = int(runtime.removeprefix("nodejs").removesuffix(".x")) <= LAST_WITH_SDK_2
    other = {"aws-sdk"} if not has_sdk_2 else {each for each in named if each.startswith("@")}
    wanted = dict.fromkeys(sorted(named - other), "latest")
    stamp = json.dumps(wanted)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not uv.is_current(folder, stamp):
        folder.mkdir(exist_ok=True)
        if wanted:
            with show.step("Installing the runtime's packages for the functions"):
                npm(folder, {"name": "runtime", "dependencies": wanted}, [], interpreter)
        uv.mark_current(folder, stamp)
    return folder / modules.FOLDER


def named_in(place: Path) -> Iterator[str]:
    """Yield what code in a folder or file names of the packages of Node.js runtimes."""
    files = [place] if place.is_file() else _scripts(place)
    for file in files:
        yield from NODE.findall(file.read_text(errors="replace"))


def _scripts(place: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(place):
        folders[:] = [each for each in folders if each not in NOT_CODE]
        yield from (Path(root, name) for name in files if Path(name).suffix in SCRIPTS)
