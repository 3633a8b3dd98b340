"""Publishes the template as its owner would: a git repository in which releases are cut."""

import inspect
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import kept
from prepared import prepared
from rendering import ROOT

PUBLISHED = ("copier.yml", "templates", "src", "pyproject.toml", "hatch_build.py", "LICENSE")
DOCUMENTS = ("README.md", "CHANGELOG.md", "docs/rules", "docs/explain")
PATTERN = "scalable-webhook"
"""The one pattern of the template: of others an update only reads the files."""
WEBHOOK = f"templates/patterns/{PATTERN}/python"
MENDS_OF_PATTERN = "templates/patterns/scalable-webhook/mends.yml"
WEBHOOK_IN_TYPESCRIPT = f"templates/patterns/{PATTERN}/typescript"

PYTHON = "templates/project/{% if python %}.{% endif %}"
CODE = f"{PYTHON}/{{% if code %}}src{{% endif %}}/{{{{ package }}}}"
SAM = "templates/project/{% if sam %}.{% endif %}"
EVENTS = "templates/project/{% if sample_events %}events{% endif %}"
ANSWERS = "templates/project/{{ _copier_conf.answers_file }}.jinja"

CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "owner",
    "GIT_AUTHOR_EMAIL": "owner@example.invalid",
    "GIT_COMMITTER_NAME": "owner",
    "GIT_COMMITTER_EMAIL": "owner@example.invalid",
}


def git(folder: Path, *arguments: str | Path) -> str:
    return git_bytes(folder, *arguments).decode()


def git_bytes(folder: Path, *arguments: str | Path) -> bytes:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=CLEAN, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@dataclass(frozen=True)
class Publication:
    """The owner's repository."""

    folder: Path

    def file(self, path: str) -> Path:
        return self.folder / path

    def append(self, path: str, text: str) -> None:
        file = self.file(path)
        file.write_text(file.read_text() + text)

    def replace(self, path: str, old: str, new: str) -> None:
        file = self.file(path)
        text = file.read_text()
        assert old in text, f"{path} has no {old!r} any more"
        file.write_text(text.replace(old, new))

    def write(self, path: str, text: str) -> None:
        self.file(path).parent.mkdir(parents=True, exist_ok=True)
        self.file(path).write_text(text)

    def version(self, version: str) -> None:
        """Set the version and commit; without `.dev` that is a release."""
        project = self.file("pyproject.toml")
        text = re.sub(
            r'(?m)^version = ".*"', f'version = "{version}"', project.read_text(), count=1
        )
        project.write_text(text)
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", f"--message=Set {version}")

    def release(self, version: str) -> None:
        """Release, and begin the version after."""
        self.version(version)
        git(self.folder, "tag", f"v{version}")
        major, minor, _ = version.split(".")
        self.version(f"{major}.{int(minor) + 1}.0.dev0")


def publish(folder: Path, *, whole: bool = False) -> Publication:
    """A repository whose only commit is this one's working tree, as a development version.

    Unless it is to be whole, it has one pattern.
    """
    folder.mkdir()
    for name in (*PUBLISHED, *DOCUMENTS):
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, folder / name, ignore=_unpublished if whole else _unneeded)
        else:
            shutil.copy(origin, folder / name)
    publication = Publication(folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    publication.version("0.1.0.dev0")
    return publication


_unpublished = shutil.ignore_patterns("__pycache__", "*.egg-info")


def _unneeded(folder: str, names: list[str]) -> set[str]:
    """Return which names in a folder are not published, or are patterns beside the one."""
    patterns = Path(folder) == ROOT / "templates/patterns"
    others = {name for name in names if patterns and (Path(folder) / name).is_dir()} - {PATTERN}
    return _unpublished(folder, names) | others


def prepared_publication(
    publish_it: Callable[[Path], Publication], *parts: kept.Part
) -> Publication:
    """Return what `publish_it` makes, not to be changed; `parts` are what else decides it."""
    folder = prepared(
        publish_it.__name__,
        lambda place: pack(publish_it(place / "template")),
        *(Path(__file__), Path(inspect.getfile(publish_it)), what_is_published(), *parts),
    )
    return Publication(folder / "template")


def pack(publication: Publication) -> None:
    """Let git read it as it reads a clone: of single objects a fetch takes five times as long."""
    git(publication.folder, "repack", "-a", "-d", "-l", "--quiet")


@cache
def what_is_published() -> str:
    """Return the digest of what each publication begins with."""
    return kept.digest(*(ROOT / name for name in (*PUBLISHED, *DOCUMENTS)))


def publish_without_mends(folder: Path) -> Publication:
    """v0.1.0 is the template of the working tree, without the mends of its pattern."""
    publication = publish(folder)
    publication.file(MENDS_OF_PATTERN).unlink()
    publication.release("0.1.0")
    return publication


def publish_three_releases(folder: Path) -> Publication:
    """v0.1.0 is the template of the working tree; v0.2.0 and v0.3.0 change it in every way."""
    publication = publish(folder)
    publication.release("0.1.0")

    # What merges: wiring, an adapter, documents.
    memory = "{{ '!Ref MemorySize' if stages else numbers.function.memory_megabytes }}"
    publication.replace("templates/iac/sam/template.yaml.jinja", memory, "512")
    publication.append(f"{WEBHOOK}/adapters/deliveries.py.jinja", "\n# deliveries of 0.2.0\n")
    publication.append("templates/project/README.md.jinja", "\nMade with 0.2.0.\n")
    publication.append(f"{WEBHOOK}/tests/sender.py.jinja", "\n# sender of 0.2.0\n")
    # What the user owns: all of it changes too, and there is more of it.
    for path in ("handlers/receive.py", "logic.py", "models.py", "tests/unit/test_logic.py"):
        publication.append(f"{WEBHOOK}/{path}.jinja", "\n# of 0.2.0\n")
    for path in ("handlers/receive", "logic", "models", "tests/unit/logic.test"):
        publication.append(f"{WEBHOOK_IN_TYPESCRIPT}/{path}.ts.jinja", "\n// of 0.2.0\n")
    publication.append(f"{WEBHOOK_IN_TYPESCRIPT}/adapters/deliveries.ts.jinja", "\n// of 0.2.0\n")
    publication.write(f"{CODE}/handlers/audit.py", "# audit of 0.2.0\n")
    publication.write(f"{PYTHON}/tests/unit/test_audit.py", "# tests of 0.2.0\n")
    # Renamed, new, removed.
    git(folder, "mv", f"{SAM}/samconfig.toml.jinja", f"{SAM}/deploy.toml.jinja")
    publication.append(f"{SAM}/deploy.toml.jinja", "# renamed in 0.2.0\n")
    publication.write("templates/project/SECURITY.md.jinja", "Logs are at {{ log_level }}.\n")
    git(folder, "rm", "-r", "--quiet", EVENTS)
    # A new question.
    publication.append(
        "templates/questions.yml",
        "\nlog_level: {type: str, help: How much to log, default: info, choices: [info, debug]}\n",
    )
    publication.append(ANSWERS, "log_level: {{ log_level }}\n")
    publication.release("0.2.0")

    publication.append("templates/project/SECURITY.md.jinja", "Made with 0.3.0.\n")
    publication.file(f"{CODE}/handlers/audit.py").unlink()
    publication.write(f"{CODE}/adapters/clock.py", "# clock of 0.3.0\n")
    publication.release("0.3.0")
    return publication
