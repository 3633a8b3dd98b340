"""The template is compiled once for a user, and only code that nobody else can write is run."""

import os
from pathlib import Path

import pytest
from command import Cli

MAKE = ("new", "simple-web-service", "--defaults", "--no-git", "--name", "shop")


@pytest.fixture
def cli(cli: Cli) -> Cli:
    """The command line of a user whose cache is empty."""
    own = {name: value for name, value in cli.environment.items() if name != "XDG_CACHE_HOME"}
    return Cli(cli.folder, own)


def cache(cli: Cli) -> Path:
    (file,) = (cli.folder.parent / "home/.cache/sls-patterns").glob("*.templates")
    return file


def made(cli: Cli, folder: str) -> dict[str, bytes]:
    done = cli(*MAKE, folder)
    assert (done.returncode, done.stderr) == (0, "")
    root = cli.folder / folder
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def first(cli: Cli) -> dict[str, bytes]:
    return made(cli, "first")


def test_a_second_project_compiles_nothing_and_is_the_same(
    cli: Cli, first: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from jinja2 import environment, nodes\n"
        "def generate(source, *arguments, **options):\n"
        "    # Copier asks for other values too, to learn that they are none.\n"
        "    if isinstance(source, nodes.Template):\n"
        "        raise AssertionError('compiled again')\n"
        "    return generated(source, *arguments, **options)\n"
        "generated, environment.generate = environment.generate, generate\n"
    )
    done = cli(*MAKE, "second", PYTHONPATH=str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
    assert made(cli, "third") == first


def test_only_the_user_can_read_and_write_the_cache(cli: Cli, first: dict[str, bytes]) -> None:
    assert first
    assert cache(cli).stat().st_mode & 0o077 == 0
    assert cache(cli).parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"no code", b"\xe9\x00\x00\x00\x00"])
def test_a_broken_cache_is_made_anew(cli: Cli, first: dict[str, bytes], content: bytes) -> None:
    cache(cli).write_bytes(content)

    assert made(cli, "second") == first
    assert len(cache(cli).read_bytes()) > len(content)


def test_what_others_can_write_is_not_run(cli: Cli, first: dict[str, bytes]) -> None:
    file = cache(cli)
    whole = file.read_bytes()
    file.write_bytes(b"i\x01\x00\x00\x00")  # a number: to read it would begin the cache anew
    file.parent.chmod(0o777)

    assert made(cli, "second") == first
    assert len(file.read_bytes()) >= len(whole)


@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
def test_a_home_that_cannot_be_written_is_no_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    done = cli(*MAKE, "project", XDG_CACHE_HOME=str(tmp_path / "file"))

    assert (done.returncode, done.stderr) == (0, "")
