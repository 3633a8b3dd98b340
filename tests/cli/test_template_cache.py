"""The template is compiled once for a user, and only code that nobody else can write is run."""

import os
from collections.abc import Iterator
from importlib import metadata
from itertools import pairwise, product
from pathlib import Path
from types import CodeType

import pytest
from command import Cli

from sls_patterns_cli.rendering import template_cache
from sls_patterns_cli.rendering.template_cache import Key, TemplateCache

MAKE = ("new", "simple-web-service", "--defaults", "--no-git", "--name", "shop")


@pytest.fixture
def cli(cli: Cli) -> Cli:
    """The command line of a user whose cache is empty."""
    own = {name: value for name, value in cli.environment.items() if name != "XDG_CACHE_HOME"}
    return Cli(cli.folder, own)


def folder(cli: Cli) -> Path:
    return cli.folder.parent / "home/.cache/sls-patterns/templates"


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


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
        "from jinja2 import environment\n"
        "def generate(*arguments, **options):\n"
        "    raise AssertionError('compiled again')\n"
        "environment.generate = generate\n"
    )
    done = cli(*MAKE, "second", PYTHONPATH=str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
    assert made(cli, "third") == first


def test_only_the_user_can_read_and_write_the_cache(cli: Cli, first: dict[str, bytes]) -> None:
    assert first
    for path in (folder(cli), *folder(cli).iterdir()):
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"no code", b"\xe9\x00\x00\x00\x00"])
def test_a_broken_cache_is_made_anew(cli: Cli, first: dict[str, bytes], content: bytes) -> None:
    whole = contents(folder(cli))
    for name in whole:
        (folder(cli) / name).write_bytes(content)

    assert made(cli, "second") == first
    assert {name: len(each) for name, each in contents(folder(cli)).items()} == {
        name: len(each) for name, each in whole.items()
    }


@pytest.mark.parametrize("open_to_others", ["folder", "files"])
def test_what_others_can_write_is_not_run(
    cli: Cli, first: dict[str, bytes], open_to_others: str
) -> None:
    for file in folder(cli).iterdir():
        file.write_bytes(b"i\x01\x00\x00\x00")  # a number: to read it would begin the cache anew
        if open_to_others == "files":
            file.chmod(0o666)
    if open_to_others == "folder":
        folder(cli).chmod(0o777)

    assert made(cli, "second") == first
    assert all(len(each) > 5 for each in contents(folder(cli)).values())


@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
def test_a_home_that_cannot_be_written_is_no_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    done = cli(*MAKE, "project", XDG_CACHE_HOME=str(tmp_path / "file"))

    assert (done.returncode, done.stderr) == (0, "")


KEY: Key = ("settings", "templates/patterns/one/logic.py.jinja", "text")


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the cache of this process is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "sls-patterns/templates"


def code_of(value: str) -> CodeType:
    return compile(value, "<template>", "eval")


def keep(*keys: Key) -> None:
    """Do as a command does that uses these templates, and no others."""
    cache = TemplateCache()
    for key in keys:
        cache.code(key, lambda key=key: code_of(repr(str(key))))  # type: ignore[misc]
    cache.save()


def is_kept(key: Key) -> bool:
    """Whether a command that begins now finds the code of what `key` says."""
    code = TemplateCache().code(key, lambda: code_of("'anew'"))
    value = eval(code)  # noqa: S307 - ours
    assert value in {str(key), "anew"}
    return bool(value == str(key))


def others(key: Key) -> Iterator[Key]:
    """Yield the keys that differ in one of the parts."""
    for number, other in product(range(len(key)), ("other", "")):
        changed = [*key]
        changed[number] = f"{other}{key[number]}{other}" if other else ""
        yield (changed[0], changed[1], changed[2])
    for at, (left, right) in enumerate(pairwise(key)):  # the same texts, cut elsewhere
        changed = [*key]
        changed[at : at + 2] = [left[:-1], left[-1] + right]
        yield (changed[0], changed[1], changed[2])


def test_code_is_that_of_the_same_text_name_and_settings_alone(cached: Path) -> None:
    keep(KEY)

    assert is_kept(KEY)
    assert cached.is_dir()
    for other in others(KEY):
        assert not is_kept(other), other


@pytest.mark.parametrize("changed", ["jinja2", "python", "bytecode"])
def test_code_is_that_of_this_jinja_and_python_alone(
    cached: Path, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(KEY)
    if changed == "jinja2":
        monkeypatch.setattr(metadata, "version", lambda _: "0.0.0")
    elif changed == "python":
        monkeypatch.setattr("sys.version", "0.0.0")
    else:
        monkeypatch.setattr(template_cache, "MAGIC_NUMBER", b"other")

    assert not is_kept(KEY)
    keep(KEY)
    assert len(contents(cached)) == 2


def test_a_folder_of_the_template_has_a_file_of_its_own(cached: Path) -> None:
    settings, name, text = KEY
    keep(KEY)
    (one,) = contents(cached)
    keep((settings, "templates/patterns/two/logic.py.jinja", text), (settings, "", text))

    assert len(contents(cached)) == 3
    (cached / one).unlink()
    assert not is_kept(KEY)
    keep((settings, name.replace("logic", "queue/model"), text))
    assert {*contents(cached)} >= {one}
    assert len(contents(cached)) == 3


def test_what_two_commands_keep_at_once_is_whole(cached: Path) -> None:
    settings, name, _ = KEY
    first, second = TemplateCache(), TemplateCache()
    for cache, text in ((first, "one"), (second, "two")):
        key = (settings, name, text)
        cache.code(key, lambda key=key: code_of(repr(str(key))))  # type: ignore[misc]
    first.save()
    second.save()

    assert is_kept((settings, name, "two"))
    assert len(contents(cached)) == 1


def test_a_file_that_grows_too_large_keeps_what_is_in_use(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, name, _ = KEY
    old, new = (settings, name, "old"), (settings, name, "new")
    keep(old)
    ((_, content),) = contents(cached).items()
    monkeypatch.setattr(template_cache, "MOST_BYTES", len(content) + 1)
    keep(KEY)

    assert is_kept(KEY)
    assert not is_kept(old)
    monkeypatch.setattr(template_cache, "MOST_BYTES", 10 * len(content))
    keep(new)
    assert is_kept(KEY)
    assert is_kept(new)
