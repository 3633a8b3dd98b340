"""The template, its version and the patterns in it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sls_patterns_cli.errors import UserError

if TYPE_CHECKING:
    from sls_patterns_cli.catalog.fix_declaration import ReleasedFix
    from sls_patterns_cli.catalog.kinds import Vocabulary
    from sls_patterns_cli.catalog.listed import Listed
    from sls_patterns_cli.catalog.model import Pattern

DISTRIBUTION = "sls-patterns-cli"

RESERVED_ADDRESS = "https://sls-patterns.invalid/sls-patterns.git"
"""What projects record if whoever built this package named no address; nobody can register it."""

_FEW = 3
"""How many names an error suggests at most."""

_OF_VOCABULARY = ("graph.yml", "proofs/harness.yml", "proofs/refusals/refusals.yml")
"""What declares the vocabulary."""

PACKAGE = Path(__file__).resolve().parents[1]
PACKAGED = PACKAGE / "_template"
"""The template of an installed package."""
"""Where a build puts the template, its versions and its address."""


@cache
def template_root() -> Path:
    """The folder that holds copier.yml and templates/: package data, else this repository.

    Raises UserError, with exit code 1, if there is none.
    """
    for root in (PACKAGED, PACKAGE.parent.parent):
        if (root / "copier.yml").is_file() and (root / "templates").is_dir():
            return root
    raise UserError("this installation has no template; install sls-patterns again", exit_code=1)


def kept_folder() -> Path:
    """Where is kept what follows from the template, or from a checkout's history.

    A checkout has it in itself; where a package is, it may be that nobody can write.
    """
    if template_root() != PACKAGED:
        return template_root() / "build/kept"
    from platformdirs import user_cache_path

    try:
        return user_cache_path("sls-patterns", appauthor=False) / "kept"
    except RuntimeError:  # a user without a home folder
        return PACKAGED / "kept"


@cache
def template_address() -> str:
    """The git address that projects record; for this tool it stands for the versions in here."""
    try:
        return (PACKAGE / "_template.address").read_text("utf-8").strip()
    except FileNotFoundError:
        return RESERVED_ADDRESS


def current_address(recorded: str) -> str:
    """`recorded`, or this package's address for the one that earlier packages had no other for."""
    return template_address() if recorded == RESERVED_ADDRESS else recorded


def version() -> str:
    """The version of the package and so of its template; a checkout's stands in pyproject.toml."""
    from importlib import metadata

    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        import tomllib

        try:
            project = tomllib.loads((template_root() / "pyproject.toml").read_text("utf-8"))
            return str(project["project"]["version"])
        except (OSError, KeyError):
            return "0.0.0"


@cache
def slugs() -> tuple[str, ...]:
    """The patterns' names, in the order in which Copier offers them."""
    return tuple(_load("templates/patterns/index.yml").values())


def regions() -> tuple[str, ...]:
    """The AWS regions that this release knows."""
    return tuple(places_of_regions())


def places_of_regions() -> dict[str, str]:
    """Where each of these regions is, as AWS names it."""
    return dict(_load("templates/regions.yml"))


def known(slug: str) -> str:
    """`slug` if a pattern has that name; else raise UserError with the nearest names."""
    if slug in slugs():
        return slug
    from difflib import get_close_matches

    near = [each for each in slugs() if slug and slug.lower() in each]
    if not 0 < len(near) <= _FEW:
        near = get_close_matches(slug, slugs(), n=1)
    hint = f"did you mean {' or '.join(near)}?" if near else f"choose from: {', '.join(slugs())}"
    raise UserError(f"unknown pattern {slug!r}; {hint}")


@cache
def pattern(slug: str) -> "Pattern":
    """The pattern named `slug`; raises UserError if there is none or its declaration is wrong."""
    from sls_patterns_cli.catalog.declaration import read_pattern

    declared = _load(f"templates/patterns/{known(slug)}/pattern.yml")
    return read_pattern(slug, declared, vocabulary())


def released_fixes(slug: str, root: Path | None = None) -> "tuple[ReleasedFix, ...]":
    """The fixes of a pattern for files of the user; those of another template in `root`.

    Raises UserError if its `mends.yml` is wrong.
    """
    from sls_patterns_cli.catalog.fix_declaration import read_fixes

    path = f"templates/patterns/{slug}/mends.yml"
    root = root or template_root()
    return read_fixes(slug, _parsed(path, root)) if (root / path).is_file() else ()


def alarms(slug: str, topology: str, datastore: str) -> list[dict[str, str]]:
    """What tells of the failures of a stack: each alarm's id and tier, what is wrong, when it goes
    off, and what to do first.
    """
    import json

    path = f"templates/patterns/{slug}/graphs/{topology}-{datastore}.json"
    graph = json.loads((template_root() / path).read_text("utf-8"))
    said = ("id", "tier", "what", "after", "first")
    return [{key: alarm[key] for key in said} for alarm in graph["alarms"]]


def refuse_stale(slug: str) -> None:
    """Raise UserError if the compiled graphs of a pattern are not what its declaration says.

    A package holds what was released: only a template that somebody works on can be stale.
    """
    if template_root() == PACKAGED:
        return
    from sls_patterns_cli.system import kept

    graphs = (template_root() / f"templates/patterns/{slug}/graphs").glob("*")
    stale = kept.until_changed(
        kept_folder() / f"stale-graph-of-{slug}.json",
        [*_sources(), *graphs],
        lambda: next(_stale(slug), None),
    )
    if stale:
        raise UserError(f"{stale} is not what pattern.yml says; run `make golden`", exit_code=1)


def _stale(slug: str) -> Iterator[str]:
    """The compiled graphs of a pattern that are not what its declaration says."""
    from sls_patterns_cli.catalog.compiler import compiled

    for file, text in compiled(pattern(slug), vocabulary()).items():
        path = f"templates/patterns/{slug}/{file}"
        try:
            if (template_root() / path).read_text("utf-8") == text:
                continue
        except OSError:
            pass
        yield path


def _sources() -> Iterator[Path]:
    """The files from which patterns follow: their declarations, and the code that reads them."""
    yield from PACKAGE.glob("catalog/**/*.py")
    yield PACKAGE / "terminal/sentences.py"
    templates = template_root() / "templates"
    yield from (templates / path for path in ("patterns/index.yml", *_OF_VOCABULARY))
    yield from templates.glob("patterns/*/pattern.yml")


@cache
def all_listed() -> "tuple[Listed, ...]":
    """Every pattern as `list` prints it, in the order of `slugs`."""
    from sls_patterns_cli.catalog.listed import Listed, listed
    from sls_patterns_cli.system import kept

    values = kept.until_changed(
        kept_folder() / "listed.json", _sources(), lambda: [[*listed(each)] for each in patterns()]
    )
    return tuple(Listed(*value) for value in values)


def entry(slug: str) -> "Listed":
    """The pattern named `slug` as `list` prints it, whatever is wrong with others."""
    from sls_patterns_cli.catalog.listed import Listed, listed
    from sls_patterns_cli.system import kept

    value = kept.until_changed(
        kept_folder() / f"listed-{slug}.json", _sources(), lambda: [*listed(pattern(slug))]
    )
    return Listed(*value)


def patterns() -> "Iterator[Pattern]":
    """Every pattern, in the order of `slugs`."""
    return map(pattern, slugs())


@cache
def vocabulary() -> "Vocabulary":
    """The kinds of nodes and edges, how each edge fails, and what proofs share."""
    from sls_patterns_cli.catalog.kinds import Vocabulary

    return Vocabulary.from_declaration(*(_load(f"templates/{path}") for path in _OF_VOCABULARY))


def _load(path: str) -> Any:
    """The content of a YAML file of the template, which is read more quickly as JSON."""
    from sls_patterns_cli.system import kept

    file = template_root() / path
    copy = kept_folder() / f"{path.replace('/', '-')}.json"
    return kept.until_changed(copy, [file], lambda: _parsed(path, template_root()))


def _parsed(path: str, root: Path) -> Any:
    """The content of a YAML file of the template in `root`."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load((root / path).read_bytes(), Loader=loader)  # noqa: S506 - safe
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", exit_code=1) from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: {error}", exit_code=1) from error
