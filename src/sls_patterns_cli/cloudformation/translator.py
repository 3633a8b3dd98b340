"""Imports SAM's translator without boto3 and jsonschema: they are half of the time that this takes.

The translator asks boto3 for the region, which is in the environment, and for applications of the
Serverless Application Repository: only a template that takes one gets boto3. With jsonschema it
checks the policy templates that it brings along, each time; a test does that here.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

from sls_patterns_cli.system.importing import much_imported

APPLICATION = "AWS::Serverless::Application"


class _Session:
    """What the translator asks boto3's session for."""

    @property
    def region_name(self) -> str | None:
        return os.environ.get("AWS_DEFAULT_REGION")


def _unavailable(*_: object, **__: object) -> None:
    raise AssertionError("AWS cannot be asked: SAM's translator was imported without boto3")


def _valid(*_: object) -> None:
    """Nothing: the only data that are checked are the translator's own."""


class _Never(Exception):  # noqa: N818 - a name for what is caught, and never raised
    pass


STAND_INS: dict[str, dict[str, Any]] = {
    "boto3": {
        "Session": _Session,
        "session": SimpleNamespace(Session=_Session),
        "client": _unavailable,
    },
    "botocore.client": {"BaseClient": object},
    "botocore.config": {"Config": _unavailable},
    "botocore.exceptions": {"ClientError": _Never, "EndpointConnectionError": _Never},
    "jsonschema": {"validate": _valid},
    "jsonschema.exceptions": {"ValidationError": _Never},
}
"""What the translator imports, by the module that has it."""


def import_translator(template: Mapping[str, Any]) -> None:
    """Import what translates a template; no effect if that is imported already."""
    asks = _asks_aws(template)
    loaded = [name for name in sys.modules if name.partition(".")[0] == "samtranslator"]
    if asks and _has_stand_ins():
        for name in loaded:
            del sys.modules[name]
    elif loaded:
        return
    with much_imported(), nullcontext() if asks else _stand_ins():
        import_module("samtranslator.translator.transform")


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Within it they are imported in the place of packages that are not imported yet."""
    absent = [name for name in STAND_INS if name.partition(".")[0] not in sys.modules]
    for name in absent:
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(STAND_INS[name])
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def _has_stand_ins() -> bool:
    """Whether the translator was imported without boto3."""
    plugin = sys.modules.get("samtranslator.plugins.application.serverless_app_plugin")
    return getattr(plugin, "Config", None) is _unavailable


def _asks_aws(template: Mapping[str, Any]) -> bool:
    """Whether the translator asks AWS for a part of a template, which may be wrong in any way."""
    resources = template.get("Resources")
    applications = (
        each.get("Properties")
        for each in (resources.values() if isinstance(resources, dict) else ())
        if isinstance(each, dict) and each.get("Type") == APPLICATION
    )
    return any(
        isinstance(properties, dict) and isinstance(properties.get("Location"), dict)
        for properties in applications
    )
