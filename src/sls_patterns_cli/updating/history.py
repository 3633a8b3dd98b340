"""Finds the released versions of the template in a repository's history, bundles and tags them.

The build loads this file by its path, before the package exists: the standard library alone.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

TEMPLATE = ("copier.yml", "templates")
"""What a version of the template consists of."""

_FINAL = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")

# The same bundle with any configuration of git.
_PACKING = {"threads": "1", "compression": "9", "depth": "50", "window": "10"}
_SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": str(len(_PACKING)),
    **{f"GIT_CONFIG_KEY_{number}": f"pack.{key}" for number, key in enumerate(_PACKING)},
    **{f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(_PACKING.values())},
}
_IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "sls-patterns"), ("EMAIL", "sls-patterns@localhost"))
}


class HistoryError(Exception):
    """The versions cannot be read from the history; the message is one line."""


def releases(repository: Path) -> dict[str, str]:
    """The released versions, oldest first: `v1.2.3` and its commit.

    A release is the first commit on the first-parent history that sets a final version, `X.Y.Z`,
    in pyproject.toml; where there is a tag of that name, it counts instead. Raises HistoryError if
    `repository` is a shallow clone or none at all.
    """
    if _git(repository, "rev-parse", "--is-shallow-repository") == "true":
        raise HistoryError(
            f"{repository} is a shallow clone, which does not hold every version of the template; "
            "fetch the rest with: git fetch --unshallow --tags"
        )
    found = dict(_set_in_history(repository)) | _tagged(repository)
    return {version: found[version] for version in sorted(found, key=_numbers)}


def write_bundle(repository: Path, bundle: Path) -> list[str]:
    """Write a git bundle with one commit and tag for each release; return the versions.

    Only the template is in it, and the same releases give the same bytes. Without any release
    there is no bundle, as git has no empty ones. Raises HistoryError as `releases` does.
    """
    commits = releases(repository)
    if not commits:
        bundle.unlink(missing_ok=True)
        return []
    with TemporaryDirectory() as objects:
        # The history's repository is only read; what is made here goes into a folder of its own.
        own = _git(repository, "rev-parse", "--path-format=absolute", "--git-path", "objects")
        apart = {"GIT_OBJECT_DIRECTORY": objects, "GIT_ALTERNATE_OBJECT_DIRECTORIES": own}
        tags: dict[str, str] = {}
        for version, commit in commits.items():
            entries = _git(repository, "ls-tree", commit, "--", *TEMPLATE)
            tree = _git(repository, "mktree", "--missing", given=entries + "\n", environment=apart)
            date = _git(repository, "show", "--no-patch", "--format=%cI", f"{commit}^{{commit}}")
            dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
            parent = ("-p", list(tags.values())[-1]) if tags else ()
            tags[version] = _git(
                repository,
                *("commit-tree", tree, *parent, "-m", f"Template {version}"),
                environment=apart | _IDENTITY | dates,
            )
        # `git bundle` has no way to forbid what depends on how this clone is packed; its format
        # is a list of references before a pack: https://git-scm.com/docs/gitformat-bundle
        command = ("pack-objects", "--quiet", "--revs", "--stdout", "--delta-base-offset")
        pack = _run(
            repository,
            *(*command, "--no-reuse-delta", "--no-reuse-object"),
            given="".join(f"{commit}\n" for commit in tags.values()),
            environment=apart,
        )
    references = {f"refs/tags/{version}": commit for version, commit in tags.items()}
    newest = list(tags.values())[-1]
    references |= {"refs/heads/main": newest, "HEAD": newest}
    header = "".join(f"{commit} {name}\n" for name, commit in references.items())
    bundle.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: two processes may want it at once.
    with TemporaryDirectory(dir=bundle.parent) as folder:
        whole = Path(folder, bundle.name)
        whole.write_bytes(f"# v2 git bundle\n{header}\n".encode() + pack)
        whole.replace(bundle)
    return list(tags)


def write_tags(repository: Path) -> list[str]:
    """Write a tag for each release that has none; return the new ones.

    Raises HistoryError as `releases` does.
    """
    present = _tagged(repository)
    missing = {
        version: commit
        for version, commit in releases(repository).items()
        if version not in present
    }
    for version, commit in missing.items():
        _git(repository, "update-ref", f"refs/tags/{version}", commit, "")
    return list(missing)


def _set_in_history(repository: Path) -> Iterator[tuple[str, str]]:
    """Each final version with the first commit that set it."""
    # Nothing was committed yet: then nothing was released.
    if not _git(repository, "rev-list", "--max-count=1", "--all"):
        return
    listed = _git(
        repository,
        *("log", "--first-parent", "--reverse", "--format=%H", "HEAD", "--", "pyproject.toml"),
    )
    commits = listed.split()
    texts = _contents(repository, [f"{commit}:pyproject.toml" for commit in commits])
    complete = _with_template(repository, commits)
    seen = set()
    for commit, text in zip(commits, texts, strict=True):
        version = _version((text or b"").decode(errors="replace"))
        if version and version not in seen and commit in complete:
            seen.add(version)
            yield version, commit


def _version(pyproject: str) -> str | None:
    """The final version that a pyproject.toml sets, as `v1.2.3`."""
    try:
        version = str(tomllib.loads(pyproject)["project"]["version"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        return None
    return f"v{version}" if _FINAL.fullmatch(version) else None


def _tagged(repository: Path) -> dict[str, str]:
    """The tags that name a version of the template, with their commits."""
    listed = _git(repository, "for-each-ref", "--format=%(refname:strip=2)", "refs/tags/v*")
    tags = {f"refs/tags/{tag}": tag for tag in listed.split() if _FINAL.fullmatch(tag)}
    commits = {reference: f"{reference}^{{commit}}" for reference in tags}
    found = _objects(repository, [*commits.values()])
    return {
        tags[reference]: found[commits[reference]] for reference in _with_template(repository, tags)
    }


def _with_template(repository: Path, commits: Iterable[str]) -> list[str]:
    """Those of the commits that hold a template."""
    parts = {commit: [f"{commit}:{part}" for part in TEMPLATE] for commit in commits}
    found = _objects(repository, [name for names in parts.values() for name in names])
    return [commit for commit, names in parts.items() if found.keys() >= {*names}]


def _objects(repository: Path, names: Sequence[str]) -> dict[str, str]:
    """The ids of the objects that git knows by these names.

    One process asks for all of them: one for each would take most of the time of `status`.
    """
    given = "".join(f"{name}\n" for name in names)
    printed = _git(repository, "cat-file", "--batch-check=%(objectname)", given=given)
    lines = zip(names, printed.splitlines(), strict=True)
    return {name: line for name, line in lines if " " not in line}


def _contents(repository: Path, names: Sequence[str]) -> Iterator[bytes | None]:
    """What is in such objects; None for what git does not know."""
    given = "".join(f"{name}\n" for name in names)
    printed = BytesIO(_run(repository, "cat-file", "--batch=%(objectsize)", given=given))
    for _ in names:
        size = printed.readline().strip()
        yield printed.read(int(size)) if size.isdigit() else None
        if size.isdigit():
            printed.readline()


def _numbers(version: str) -> tuple[int, ...]:
    found = _FINAL.fullmatch(version)
    return tuple(map(int, found.groups())) if found else ()


def _git(
    repository: Path,
    *arguments: str,
    given: str | None = None,
    environment: Mapping[str, str] | None = None,
    missing: str | None = None,
) -> str:
    """What git prints; `missing` if it fails, or HistoryError without that."""
    try:
        return _run(repository, *arguments, given=given, environment=environment).decode().strip()
    except HistoryError:
        if missing is None:
            raise
        return missing


def _run(
    repository: Path,
    *arguments: str,
    given: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> bytes:
    # What stands in the environment must not lead git to another repository.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=repository,
            env=inherited | _SETTINGS | dict(environment or {}),
            input=None if given is None else given.encode(),
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            check=True,
        ).stdout
    except FileNotFoundError as error:
        raise HistoryError("git is not on this machine") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise HistoryError(f"git {arguments[0]} in {repository}: {lines[-1]}") from error


if __name__ == "__main__":
    try:
        print("\n".join(write_tags(Path.cwd())) or "every release has its tag")  # noqa: T201
    except HistoryError as error:
        sys.exit(str(error))
