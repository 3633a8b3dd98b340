"""Where the versions of the template come from: the bundle in this package, or a git address."""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from sls_patterns_cli import catalog
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering.copier_parts import get_repo
from sls_patterns_cli.system import git, kept
from sls_patterns_cli.updating import history

PATTERNS = "templates/patterns/"
"""Where a version has a folder for each pattern."""

PASSWORD = re.compile(r"(?<=://)[^/@]*(?=@)")
"""Who signs in by an address, which no message repeats."""

ENVIRONMENT = "SLS_PATTERNS_SOURCE"
"""The environment variable that names a mirror for all projects of a user."""


@dataclass(frozen=True)
class Template:
    """One version of the template; `folder` holds it."""

    version: str
    folder: Path


class Source:
    """The versions of the template that an address, or this package, has.

    `name` is what messages call it; `scratch` is a folder for its use; `own` is a version that
    is this package's own template. Raises UserError if the address cannot be reached.
    """

    def __init__(
        self, name: str, address: str | None, scratch: Path, own: str | None = None
    ) -> None:
        self.name = name
        self._address = address or ""
        self._store = scratch / "versions.git"
        git.output(scratch, "init", "--quiet", "--bare", self._store, added=git.APART)
        tags = self._tags() if address else []
        self._released = sorted(filter(order, tags), key=Version)
        self._own = own if own and not self._among(own, self._released) else None
        if not self._known():
            raise UserError(f"{name} has no version of the template: {self._why_none()}")
        final = [tag for tag in self._released if not Version(tag).is_prerelease]
        self.newest = (final or self._known())[-1]
        """The newest final version; where there is none, the newest."""

    def find(self, version: str) -> str | None:
        """The version as the source writes it (`v1.2.3` for `1.2.3`), or None if it has none."""
        return self._among(version, self._known())

    def known(self, version: str) -> str:
        """`find`, or UserError with what there is."""
        if found := self.find(version):
            return found
        hint = f"; {self._why_none()}" if self._is_shallow() else ""
        there = ", ".join(self._known())
        raise UserError(f"{self.name} has no version {version}; it has {there}{hint}")

    def before(self, version: str) -> str | None:
        """The newest final version that is older than `version`."""
        limit = order(version)
        final = (tag for tag in reversed(self._released) if not Version(tag).is_prerelease)
        return next((tag for tag in final if limit and Version(tag) < limit), None)

    def template(self, version: str, patterns: Collection[str]) -> Template:
        """The template as of `version`, which is one that `find` returned.

        Of all patterns it holds at least `patterns`: the others are most of its files. Raises
        UserError if it cannot be fetched.
        """
        if version == self._own:
            return Template(version, catalog.template_root())
        folder = self._store.parent / version
        if not folder.is_dir():
            reference = f"refs/tags/{version}"
            fetch = ("fetch", "--quiet", "--no-tags")
            wanted = ("--", self._address, f"+{reference}:{reference}")
            try:
                self._share_objects()
                # A bundle has no parts, and neither has what a plain web server offers.
                part = () if Path(self._address).exists() else ("--depth=1",)
                try:
                    self._git(*fetch, *part, *wanted)
                except git.GitError:
                    self._git(*fetch, *wanted)
                folder.mkdir()
                tree = ("--git-dir", self._store, "--work-tree", folder)
                others = self._patterns(reference) - {PATTERNS + each for each in patterns}
                parts = (*history.TEMPLATE, *(f":(exclude){each}" for each in others))
                checkout = ("checkout", "--quiet", "--force", reference, "--", *parts)
                git.output(folder, *tree, *checkout, added=git.APART)
            except git.GitError as error:
                raise UserError(f"{version} of {self.name}: {error.message}") from error
        return Template(version, folder)

    def _share_objects(self) -> None:
        """Let the store have what a repository on this machine has: nothing is copied then."""
        if Path(self._address).is_dir():
            which = ("rev-parse", "--path-format=absolute", "--git-path", "objects")
            objects = git.output(Path(self._address), *which, added=git.APART)
            (self._store / "objects/info/alternates").write_bytes(objects)

    def _patterns(self, reference: str) -> set[str]:
        """The folders of the patterns of a version."""
        listed = self._git("ls-tree", "-d", "--name-only", reference, "--", PATTERNS)
        return set(listed.decode().splitlines())

    def _known(self) -> list[str]:
        return [*self._released, *([self._own] if self._own else [])]

    @staticmethod
    def _among(version: str, known: list[str]) -> str | None:
        wanted = order(version)
        return next((each for each in known if wanted and Version(each) == wanted), None)

    def _tags(self) -> list[str]:
        try:
            listed = self._git("ls-remote", "--tags", "--refs", "--", self._address)
        except git.GitError as error:
            raise UserError(f"{self.name} cannot be reached: {error.message}") from error
        return [line.split("refs/tags/", 1)[1] for line in listed.decode().splitlines()]

    def _git(self, *arguments: str) -> bytes:
        """Run git as the user has set it up, who may have a proxy or a credential helper."""
        quiet = {} if sys.stdin.isatty() else {"GIT_TERMINAL_PROMPT": "0"}
        return git.output(self._store, *arguments, added=quiet)

    def _why_none(self) -> str:
        if self._is_shallow():
            return "it is a shallow clone; fetch the rest with git fetch --unshallow --tags"
        return "no tag names one; its maintainer writes the tags with make tags"

    def _is_shallow(self) -> bool:
        """Whether the source is a shallow clone, as far as it is a local repository."""
        if not (self._address and Path(self._address).is_dir()):
            return False
        check = ("rev-parse", "--is-shallow-repository")
        return git.output(Path(self._address), *check).strip() == b"true"


def open_source(recorded: str, wanted: str | None, scratch: Path) -> Source:
    """Where to update from: what is `wanted`, else the environment's, else what is `recorded`.

    The address that `new` records stands for the versions in this package. `scratch` is a folder
    for the source's use. Raises UserError if there is nothing to be had.
    """
    address = wanted or os.environ.get(ENVIRONMENT) or recorded
    if catalog.current_address(address) == catalog.template_address():
        return _package(scratch)
    if address.endswith(".whl"):
        raise UserError(
            f"{address} is a wheel, from which CI installs this tool; an update takes the template "
            "from a git address, or from this package if none is given"
        )
    if as_pip_takes_it := re.fullmatch(r"git\+(.+?)(@v?\d[\w.]*)?", address):
        address = as_pip_takes_it[1]
    if not shutil.which("git"):
        raise UserError("git is not installed; an update needs it")
    try:
        # Copier's short forms, as plain `copier update` takes them.
        place = str(get_repo(address) or address)
        if Path(place).expanduser().exists():
            place = str(Path(place).expanduser().resolve())
    except OSError as error:
        raise UserError(f"{address}: {error.strerror}") from error
    except RuntimeError as error:  # the home folder of nobody, or links that lead in a circle
        raise UserError(f"{address}: {error}") from error
    return Source(PASSWORD.sub("***", address), place, scratch)


def order(version: str) -> Version | None:
    """What versions are compared by; None if it is no version.

    Between releases git names a commit by the version before it: `v1.2.3-4-gabcdef0`.
    """
    described = re.fullmatch(r"(.+)-(\d+)-g[0-9a-f]+", version)
    try:
        return Version(f"{described[1]}.post{described[2]}" if described else version)
    except InvalidVersion:
        return None


def _package(scratch: Path) -> Source:
    """The released versions that this package carries, and its own template."""
    bundle = catalog.PACKAGE / "_template.bundle"
    repository = catalog.template_root()
    if not bundle.is_file() and (repository / ".git").exists():
        try:
            bundle = _bundle_of(repository, scratch)
        except history.HistoryError as error:
            raise UserError(str(error)) from error
    version = catalog.version()
    address = str(bundle) if bundle.is_file() else None
    return Source(f"sls-patterns {version}", address, scratch, own=f"v{version}")


def _bundle_of(repository: Path, scratch: Path) -> Path:
    """The bundle of an editable install, made once for the same releases of the repository."""
    state = git.output(repository, "show-ref", "--head", "--tags")
    commits = kept.while_same(
        catalog.kept_folder() / "releases.json",
        hashlib.sha256(state).hexdigest(),
        lambda: history.releases(repository),
    )
    own = hashlib.sha256(bytes(repository)).hexdigest()[:16]
    name = f"{own}-{hashlib.sha256(repr(commits).encode()).hexdigest()[:16]}.bundle"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sls-patterns"
    if (cache / name).is_file():
        return cache / name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for outdated in cache.glob(f"{own}-*.bundle"):
            outdated.unlink(missing_ok=True)
    except OSError:
        cache = scratch  # a home that cannot be written to
    history.write_bundle(repository, cache / name)
    return cache / name
