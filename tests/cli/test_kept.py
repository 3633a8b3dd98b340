"""What is kept in the user's cache folder is used until something changes that it follows from."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from command import Cli, environment
from rendering import ROOT

from sls_patterns_cli import catalog
from sls_patterns_cli.system.kept import digest, until_changed

SLUG = "scalable-webhook"
COMPILER = "src/sls_patterns_cli/catalog/compiler"
DECLARED = f"templates/patterns/{SLUG}/pattern.yml"


class Maker:
    """Makes another value each time, so that a value that was kept is told from a new one."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Any:
        self.made += 1
        return {"number": self.made, "text": "ä€"}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "one").write_text("1")
    (folder / "two").write_text("2")
    return sorted(folder.iterdir())


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The file that keeps a value."""
    return tmp_path / "some/where/kept.json"


def test_a_value_is_made_once(files: list[Path], kept: Path) -> None:
    make = Maker()
    values = [until_changed(kept, order, make) for order in (files, files, reversed(files))]
    assert values == [{"number": 1, "text": "ä€"}] * 3
    assert until_changed(kept.with_name("another"), files, make)["number"] == 2
    assert kept.stat().st_mode & 0o077 == 0


CHANGES: dict[str, Callable[[Path], Any]] = {
    "content": lambda folder: (folder / "one").write_text("2"),
    "content that moves on": lambda folder: (
        (folder / "one").write_text("12"),
        (folder / "two").write_text(""),
    ),
    "name": lambda folder: (folder / "one").rename(folder / "other"),
    "one more": lambda folder: (folder / "three").write_text(""),
    "one less": lambda folder: (folder / "two").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_made_anew_when_a_file_changes(files: list[Path], kept: Path, change: str) -> None:
    make, folder = Maker(), files[0].parent
    before = digest(files)
    until_changed(kept, files, make)
    CHANGES[change](folder)

    assert digest(folder.iterdir()) != before
    assert until_changed(kept, folder.iterdir(), make)["number"] == 2
    assert [*kept.parent.iterdir()] == [kept]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null", "\ud800"])
def test_a_broken_file_is_made_anew(files: list[Path], kept: Path, content: str) -> None:
    make = Maker()
    until_changed(kept, files, make)
    kept.write_bytes(content.encode(errors="surrogatepass"))
    assert until_changed(kept, files, make)["number"] == 2
    assert until_changed(kept, files, make)["number"] == 2


def test_without_a_place_or_a_file_nothing_is_kept(files: list[Path], kept: Path) -> None:
    make = Maker()
    kept.parent.parent.write_text("a file")
    assert [until_changed(kept, files, make)["number"] for _ in range(2)] == [1, 2]
    gone = files[0].with_name("gone")
    other = files[0].with_name("kept")
    assert [until_changed(other, [*files, gone], make)["number"] for _ in range(2)] == [3, 4]


@pytest.mark.parametrize("value", [{1: 2}, (1,), [date(2026, 1, 1)], {"a": {"b"}}])
def test_what_json_would_change_is_not_kept(files: list[Path], kept: Path, value: Any) -> None:
    for _ in range(2):
        assert until_changed(kept, files, lambda: value) is value
    assert not kept.exists()


def test_what_fails_is_not_kept(files: list[Path], kept: Path) -> None:
    def fail() -> None:
        raise LookupError

    for _ in range(2):
        with pytest.raises(LookupError):
            until_changed(kept, files, fail)
    assert not kept.exists()


def test_a_package_keeps_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert catalog.kept_folder() == ROOT / "build/kept"
    monkeypatch.setattr(catalog, "template_root", lambda: catalog.PACKAGED)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert catalog.kept_folder().is_relative_to(tmp_path)


@pytest.fixture
def checkout(tmp_path: Path) -> Cli:
    """The tool and its template as a checkout, which has listed its patterns and made a project."""
    for folder in ("src", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "copier.yml", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "home").mkdir()
    variables = {"PYTHONPATH": str(tmp_path / "src")}
    cli = Cli(tmp_path, environment(tmp_path / "home") | variables)
    assert cli("list").stdout == cli("list").stdout
    assert new(cli).returncode == 0
    return cli


def new(checkout: Cli) -> subprocess.CompletedProcess[str]:
    shutil.rmtree(checkout.folder / "made", ignore_errors=True)
    return checkout("new", SLUG, "made", "--defaults", "--no-git")


def edit(checkout: Cli, path: str, old: str, new: str) -> None:
    file = checkout.folder / path
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))


def test_list_says_what_is_declared_now(checkout: Cli) -> None:
    edit(checkout, DECLARED, "title: Scalable Webhook", "title: Another Title")
    assert f"{SLUG}  Another Title\n" in checkout("list").stdout
    edit(checkout, DECLARED, "\nuse:", "\nwrong: 1\nuse:")
    refused = checkout("list")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "unknown key 'wrong'" in refused.stderr


def test_list_says_what_the_vocabulary_and_the_code_say_now(checkout: Cli) -> None:
    edit(checkout, "templates/graph.yml", "experimental: Nothing", "experimental: No part")
    assert "redshift-serverless is experimental. No part of it" in checkout("list").stdout
    code = "src/sls_patterns_cli/catalog/listed.py"
    edit(checkout, code, "is experimental", "is an experiment")
    assert "redshift-serverless is an experiment. No part of it" in checkout("list").stdout


@pytest.mark.parametrize(
    ("path", "old", "changed"),
    [
        (DECLARED, "timeout: 30", "timeout: 31"),
        (f"templates/patterns/{SLUG}/graphs/function-dynamodb.json", "{", "{ "),
        ("templates/graph.yml", "suffix: Function", "suffix: Lambda"),
        (
            "src/sls_patterns_cli/catalog/compiler/kinds/queue.py",
            "sqs:SendMessage",
            "sqs:SendMessages",
        ),
    ],
)
def test_a_graph_that_was_up_to_date_becomes_stale(
    checkout: Cli, path: str, old: str, changed: str
) -> None:
    edit(checkout, path, old, changed)
    refused = new(checkout)
    assert refused.returncode == 1
    assert "is not what pattern.yml says; run `make golden`" in refused.stderr
    assert not (checkout.folder / "made").exists()
    edit(checkout, path, changed, old)
    assert new(checkout).returncode == 0


def test_code_that_reads_and_compiles_patterns_is_among_what_is_looked_at(tmp_path: Path) -> None:
    """What of this tool is imported to work out what is kept, is in the key."""
    program = """
import json, sys
from pathlib import Path
from sls_patterns_cli import catalog
catalog.kept_folder = lambda: Path(sys.argv[2])
catalog.all_listed()
catalog.refuse_stale(sys.argv[1])
files = [str(module.__file__) for name, module in sys.modules.items() if "sls_patterns_cli" in name]
print(json.dumps([files, [str(file) for file in catalog._sources()]]))
"""
    command = [sys.executable, "-c", program, SLUG, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, check=True).stdout
    imported, sources = map(set, json.loads(told))
    names = {Path(each).relative_to(catalog.PACKAGE).as_posix() for each in imported - sources}
    packages = {name for name in names if name.endswith("__init__.py")}
    assert names - packages == {"errors.py", "system/kept.py"}
    assert {*map(str, ROOT.glob("templates/patterns/*/pattern.yml"))} <= sources


def test_what_is_told_of_a_new_project_is_what_its_pattern_declares() -> None:
    for pattern in catalog.patterns():
        entry = catalog.entry(pattern.slug)
        for topology in pattern.topologies:
            assert entry.retired.get(topology.name, "") == topology.retired
            assert tuple(entry.proven_with[topology.name]) == topology.proven_with


def test_a_second_project_reads_and_compiles_no_pattern(cli: Cli) -> None:
    program = (
        "import sys; from sls_patterns_cli.cli import commands; code = commands.run(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    make = Cli(cli.folder, cli.environment, (sys.executable, "-c", program))
    arguments = ("new", SLUG, "--defaults", "--no-git", "--name")
    assert make(*arguments, "first").returncode == 0
    done = make(*arguments, "second")

    assert done.returncode == 0
    modules = {*done.stderr.split()}
    assert "sls_patterns_cli.system.kept" in modules
    of_catalog = {each for each in modules if each.startswith("sls_patterns_cli.catalog.")}
    assert of_catalog == {"sls_patterns_cli.catalog.listed"}
