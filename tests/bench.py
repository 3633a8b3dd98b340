"""How fast the command line is, each figure beside what it is measured against.

Whole processes, alternating with their rival so that a busy machine hits both; the median counts.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from environments import UV, environment, link_modules, node
from update.publication import git, publish_three_releases

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[1]
OURS = str(BIN / "sls-patterns")
ESBUILD = "node_modules/esbuild/bin/esbuild"
ROUNDS = 11
ROUNDS_OF_UPDATES = 5
"""Copier's update takes seconds, most of it in git's processes."""

Command = Sequence[str | Path]


def seconds(command: Command, folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def medians(
    commands: Mapping[str, Command], folder: Path, tidy: Callable[[], None], rounds: int = ROUNDS
) -> dict[str, float]:
    """Return the median seconds of each command."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            tidy()
            times[name].append(seconds(command, folder))
    return {name: statistics.median(measured) for name, measured in times.items()}


def report(taken: Mapping[str, float], ours: str, rival: str) -> None:
    mine, theirs = taken[ours], taken[rival]
    print(f"{ours}, against {rival}: {mine:.3f} s / {theirs:.3f} s = {mine / theirs:.2f}")


def git_checkout_of_the_template(folder: Path) -> Path:
    """Return a repository that holds the template as it is now, as its owner would publish it."""
    repository = folder / "template"
    repository.mkdir()
    shutil.copy(ROOT / "copier.yml", repository)
    shutil.copytree(ROOT / "templates", repository / "templates")
    git: Command = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "now"], ["tag", "v0.0.1"]):
        subprocess.run([*git, *command], cwd=repository, check=True)
    return repository


def sam_init(folder: Path) -> Command:
    """Return what makes a project of 15 files from a template on this machine.

    As many as SAM's own templates have, and no download.
    """
    template = folder / "cookiecutter"
    project = template / "{{cookiecutter.project_name}}"
    project.mkdir(parents=True)
    (template / "cookiecutter.json").write_text('{"project_name": "project"}\n')
    for number in range(15):
        text = "# {{ cookiecutter.project_name }}\n" * 20
        (project / f"file-{number}.md").write_text(text)
    return [
        os.environ["SLS_SAM"],
        "init",
        "--location",
        template,
        "--no-input",
        "--name",
        "project",
    ]


def update_and_status(folder: Path) -> None:
    """Measure both on a project two releases behind, with the same repository as the source."""
    template = publish_three_releases(folder / "releases").folder
    project = folder / "updated"
    answers = ("--defaults", "--data", "pattern=scalable-webhook", "--vcs-ref", "v0.1.0")
    seconds([str(BIN / "copier"), "copy", "--quiet", *answers, template, project], folder)
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message=made")

    def tidy() -> None:
        git(project, "reset", "--quiet", "--hard")
        git(project, "clean", "--quiet", "--force", "-d")

    rival = "copier update"
    commands: dict[str, Command] = {
        "update": [OURS, "update", project],
        "status": [OURS, "status", project],
        rival: [BIN / "copier", "update", "--quiet", "--defaults", project],
    }
    taken = medians(commands, folder, tidy, ROUNDS_OF_UPDATES)
    for command in ("update", "status"):
        report(taken, command, rival)


def first_proof(folder: Path) -> float:
    """Return the seconds from `new` to the first proof that has passed, on a warm cache."""
    project = folder / "proven"
    start = time.perf_counter()
    seconds([OURS, "new", "scalable-webhook", str(project), "--defaults"], folder)
    arguments = ["local", "test", str(project), "--", "-k", "test_accepted"]
    seconds([OURS, *arguments], folder)
    return time.perf_counter() - start


def packages(folder: Path) -> None:
    """Print of a function in each runtime how large its package is, and what loading it takes."""
    variables = {
        **os.environ,
        "PRODUCTS_TABLE_NAME": "products",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "PYTHONDONTWRITEBYTECODE": "1",  # nor can Lambda
    }
    for runtime in ("python", "typescript"):
        project, package = folder / runtime, folder / f"{runtime}-package"
        new = ("new", "simple-web-service", project, "--runtime", runtime, "--defaults", "--no-git")
        seconds([OURS, *new], folder)
        if runtime == "python":
            requirements = ("--requirements", project / "src/requirements.txt")
            target = ("--quiet", "--no-compile-bytecode", "--target", package)
            python = environment(project) / "python"
            seconds([UV, "pip", "install", "--python", python, *target, *requirements], folder)
            shutil.copytree(project / "src", package, dirs_exist_ok=True)
            load: Command = [python, "-c", "import python.handlers.catalog"]
        else:
            link_modules(project)
            flags = ("--bundle", "--platform=node", "--target=node24", "--format=cjs")
            map_of = ("--main-fields=module,main", "--sourcemap", "--sources-content=false")
            entry = ("src/handlers/catalog.ts", f"--outfile={package}/catalog.js")
            seconds([project / ESBUILD, *flags, *map_of, *entry], project)
            load = [node().executable, "catalog.js"]
        archive = shutil.make_archive(str(package), "zip", package)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(ROUNDS):
            subprocess.run(load, cwd=package, env=variables, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        unpacked = sum(file.stat().st_size for file in package.rglob("*") if file.is_file())
        zipped = Path(archive).stat().st_size
        print(
            f"package, {runtime}: {zipped / 1e6:.1f} MB zipped, {unpacked / 1e6:.1f} MB unpacked, "
            f"{1000 * spent / ROUNDS:.0f} ms of processor time to load"
        )


def new_and_list(folder: Path) -> None:
    template = git_checkout_of_the_template(folder)

    def tidy() -> None:
        shutil.rmtree(folder / "project", ignore_errors=True)

    answers = ["--defaults", "--data", "pattern=scalable-webhook"]
    commands: dict[str, Command] = {
        "new": [OURS, "new", "scalable-webhook", "project", "--defaults", "--no-git"],
        "sam init of 15 files": sam_init(folder),
        "copier copy": [BIN / "copier", "copy", "--quiet", *answers, template, "project"],
        "--help": [OURS, "--help"],
        "list": [OURS, "list"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    taken = medians(commands, folder, tidy)
    for ours, rival in (
        ("new", "sam init of 15 files"),
        ("new", "copier copy"),
        ("--help", "python -c pass"),
        ("list", "python -c pass"),
    ):
        report(taken, ours, rival)


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        new_and_list(folder)
        update_and_status(folder)
        packages(folder)
        first_proof(folder)  # fills the caches
        shutil.rmtree(folder / "proven")
        warm = first_proof(folder)
        print(f"new to first proof, caches warm: {warm:.1f} s")


if __name__ == "__main__":
    main()
