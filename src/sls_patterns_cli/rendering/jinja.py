"""Jinja as Copier sets it up, without importing Copier, which takes a quarter of a second."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

import yaml
from jinja2 import FileSystemLoader, Template
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import import_string
from jinja2_ansible_filters import AnsibleCoreFiltersExtension

from sls_patterns_cli.rendering.template_cache import TemplateCache

Context = Mapping[str, Any]

_YIELD = re.compile(r"(.*)\{% yield (\w+) from (.+?) %\}(.*)\{% endyield %\}(.*)")
"""Copier's tag in the name of a file, which is there once for each item."""


LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def from_yaml(value: Any) -> Any:
    """What a text says, by the fast loader, which the filter does not take; else the value.

    What is read of a text is for reading: whoever asks again gets the same.
    """
    return _read(value) if isinstance(value, str) else value


@lru_cache
def _read(text: str) -> Any:
    return yaml.load(text, LOADER)  # noqa: S506 - safe


class Environment(SandboxedEnvironment):
    """The templates below `root`; `cache` has the code of those that were compiled before."""

    def __init__(self, root: Path, options: Mapping[str, Any], cache: TemplateCache) -> None:
        undefined = import_string(options.get("undefined", "jinja2.Undefined"))
        given = {"keep_trailing_newline": True, **options, "undefined": undefined}
        loader, extensions = FileSystemLoader(root), [AnsibleCoreFiltersExtension]
        super().__init__(
            loader=loader, extensions=extensions, auto_reload=False, cache_size=-1, **given
        )
        self.filters["from_yaml"] = from_yaml
        self._settings = repr(sorted(options.items()))
        self._cache = cache
        self._texts: dict[str, Template] = {}

    def compile(  # type: ignore[override] # what nobody asks for is left out
        self, source: str, name: str | None = None, _file: str | None = None
    ) -> CodeType:
        """Jinja's code of a template, wherever its file is."""
        compiled = super().compile
        key = (self._settings, name or "", source)
        return self._cache.code(key, lambda: compiled(source, name))

    def filled(self, value: Any, context: Context) -> Any:
        """A value, with what Jinja makes of each text in it."""
        if isinstance(value, list):
            return [self.filled(each, context) for each in value]
        if not isinstance(value, str) or "{" not in value:
            return value
        if value not in self._texts:
            self._texts[value] = self.from_string(value)
        return self._texts[value].render(context)

    def names(self, name: str, context: Context) -> Iterator[tuple[str, Context]]:
        """What the name of a file stands for: names, each with the context of what is in it."""
        if not (found := _YIELD.fullmatch(name)):
            yield self.filled(name, context), context
            return
        before, item, items, inside, after = found.groups()
        module = self.from_string(f"{{% set items = {items} %}}").make_module({**context})
        for value in vars(module)["items"]:
            inner = {**context, item: value}
            yield self.filled(f"{before}{inside}{after}", inner), inner
