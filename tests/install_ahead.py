"""Installs what most generated projects need, while `make ready` installs other things.

Each test adds what its project lacks; without this, the first ones would all wait for the same.
"""

import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from environments import INTERPRETER, environment, interpreter_of, link_modules
from rendering import render_project

ONE = "simple-web-service"
"""Its projects use what most patterns do; npm packages are those of all patterns anyway."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        script = render_project(Path(folder) / "typescript", pattern=ONE, runtime="typescript")
        installed: list[Future[Any]] = [pool.submit(link_modules, script)]
        for iac in ("sam", "cdk"):
            project = render_project(Path(folder) / iac, pattern=ONE, runtime="python", iac=iac)
            here = {INTERPRETER, interpreter_of(project).executable}
            installed += [pool.submit(environment, project, each) for each in here]
        for each in installed:
            each.result()


if __name__ == "__main__":
    main()
