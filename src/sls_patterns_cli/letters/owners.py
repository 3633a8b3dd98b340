"""Who owns what failed: the tag of the resource that says so, or that of the stack."""

from collections.abc import Mapping

from sls_patterns_cli.letters.deployed import Deployed
from sls_patterns_cli.letters.ends import End

OWNERS = "owner", "team"
"""The names of such tags, in any case; the first of them counts."""


def owner_of(end: End, deployed: Deployed) -> str:
    """Return who owns an end: by a tag of what failed there, of the end, or of the stack; "" for
    nobody."""
    resources = [deployed.stack.resources.get(name) for name in (*end.failed, end.keeper)]
    given = [*(resource.get("Tags") for resource in resources if resource), deployed.tags]
    found = (tags[name] for tags in map(_tags, given) for name in OWNERS if tags.get(name))
    return next(found, "")


def _tags(given: object) -> dict[str, str]:
    """Return tags by their names in small letters: most resources list them, some map them."""
    if isinstance(given, Mapping):
        pairs = [*given.items()]
    else:
        listed = given if isinstance(given, list) else []
        pairs = [(each.get("Key"), each.get("Value")) for each in listed]
    return {str(name).lower(): value for name, value in pairs if isinstance(value, str)}
