"""Runs the apps of several CDK projects in one process, as `cdk synth` does but without building.

Arguments: for each project its folder and the folder for what it synthesises. It runs in an
environment of generated projects and so imports nothing of this repository.
"""

import functools
import json
import os
import runpy
import sys
from pathlib import Path

import aws_cdk as cdk

App = cdk.App


def main(arguments: list[str]) -> None:
    for project, output in zip(arguments[::2], arguments[1::2], strict=True):
        os.chdir(project)
        context = json.loads(Path("cdk.json").read_text()).get("context", {})
        # Given as arguments: the JavaScript below sees the environment that it was started in.
        told = {**context, "aws:cdk:bundling-stacks": []}
        cdk.App = functools.partial(App, outdir=output, context=told)
        for name in [name for name in sys.modules if name.split(".")[0] == "infrastructure"]:
            del sys.modules[name]
        sys.path.insert(0, project)
        runpy.run_path("app.py")
        sys.path.remove(project)


if __name__ == "__main__":
    main(sys.argv[1:])
