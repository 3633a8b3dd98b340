"""`make format` leaves a project whose style has nothing to complain about."""

import re
from pathlib import Path

import pytest
import yaml
from rendering import render_project
from static.test_project import check_style, run_npm
from tools import BIN, run

LONG = (
    '"a text that is long", "and another that is no shorter", "and one that ends the line, at last"'
)
MANGLED_PYTHON = f"""

def total(amounts : list[int]) -> int :
    return sum( amounts )
NAMES = [{LONG}, "and one more"]
"""
MANGLED_TYPESCRIPT = f"""
export const NAMES = [{LONG}, 'and one more']
export function total( amounts: number[] ): number {{ return amounts.reduce( (a,b)=>a+b, 0 ) }}
"""


def test_python(tmp_path: Path) -> None:
    project = render_project(tmp_path / "hooks", pattern="scalable-webhook", runtime="python")
    (logic,) = project.glob("src/*/logic.py")
    logic.write_text(logic.read_text() + MANGLED_PYTHON)
    (recipe,) = re.findall(
        r"^format: install.*\n((?:\t.*\n)+)", (project / "Makefile").read_text(), re.MULTILINE
    )

    run(["sh", "-e", "-c", recipe.replace(".venv/bin/", f"{BIN}/")], project)

    check_style("python", tmp_path, [project])


@pytest.mark.parametrize(
    "left",
    [
        pytest.param("", marks=pytest.mark.exhaustive),
        pytest.param("const unused = 1;\n", marks=pytest.mark.exhaustive),
    ],
    ids=["nothing", "what only a person can mend"],
)
def test_typescript(left: str, tmp_path: Path) -> None:
    """ESLint complains of what it cannot mend; Prettier formats all the same."""
    project = render_project(tmp_path / "hooks", pattern="scalable-webhook", runtime="typescript")
    (project / "src/logic.ts").write_text(
        (project / "src/logic.ts").read_text() + MANGLED_TYPESCRIPT + left
    )

    run_npm(project, "run", "format")

    check_style("typescript", tmp_path, [project])


def test_dependabot_watches_all_that_a_project_pins(tmp_path: Path) -> None:
    for runtime, files in {
        "python": {"requirements-dev.txt": "/", "src/requirements.txt": "/src"},
        "typescript": {"package.json": "/"},
    }.items():
        project = render_project(tmp_path / runtime, pattern="scalable-webhook", runtime=runtime)
        settings = project / ".github/dependabot.yml"
        watched = {
            folder
            for update in yaml.safe_load(settings.read_text())["updates"]
            if update["package-ecosystem"] != "github-actions"
            for folder in update.get("directories", [update.get("directory")])
        }
        assert watched == set(files.values())
        assert all((project / file).exists() for file in files)
        run([BIN / "zizmor", "--offline", "--quiet", "--persona", "pedantic", settings], project)
