"""Copier's worker for an update, without what costs time there."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import Any

import yaml

from sls_patterns_cli.rendering.copier_parts import SandboxedEnvironment, Worker
from sls_patterns_cli.rendering.template_cache import TemplateCache

# Copier parses YAML with PyYAML's slow loader; the C one saves about 40 ms of each rendering.
yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # type: ignore[misc]


class QuickWorker(Worker):
    """Copier's worker for a folder that is nobody's yet.

    What is private in Copier (copier_parts) is overridden here and in versions alone;
    `tests/update/test_quick_worker.py` and `tests/update/test_versions.py` fail when Copier changes
    it.
    """

    @cached_property
    def template_cache(self) -> TemplateCache:
        """What was compiled already."""
        return TemplateCache()

    @cached_property
    def jinja_env(self) -> SandboxedEnvironment:
        """Copier's environment, which compiles the same text only once (saves about 80 ms)."""
        environment = super().jinja_env
        compile_text = environment.compile
        settings = repr(sorted(self.template.envops.items()))

        def compile_once(
            source: str, name: str | None = None, filename: str | None = None, **options: Any
        ) -> CodeType:
            # Compiling has an effect that must not be lost: it resets the yield tag.
            environment.preprocess(source, name, filename)
            code = self.template_cache.code(
                (settings, name or "", source),
                lambda: compile_text(source, name, filename, **options),
            )
            # The file that an error message names may be another one.
            return code.replace(co_filename=filename or "<template>")

        environment.compile = compile_once  # type: ignore[method-assign,assignment]
        return environment

    @cached_property
    def answers_relpath(self) -> Path:
        """The answers file; Copier renders its name anew for each part of each path."""
        return super().answers_relpath

    def defaults_of_new_projects(self) -> dict[str, str]:
        """The defaults of new projects that are others than those of the projects there are."""
        context = self._render_context()
        found = {}
        for question, details in self.template.questions_data.items():
            default = details.get("default")
            if details.get("when") is not False and isinstance(default, str):
                text = self.jinja_env.from_string(default)
                new, recorded = (
                    text.render({**context, "new_project": is_new}) for is_new in (True, False)
                )
                if new != recorded:
                    found[question] = new
        return found

    def _render_template(self) -> None:
        """Render all files with one context: no answer changes any more (saves about 20 ms)."""
        # The name of the answers file is worked out first: that changes the context it is given.
        _, context = self.answers_relpath, self._render_context()

        def render_context() -> Mapping[str, Any]:
            # Copier renders a name here, which resets the yield tag of the path before its file.
            self.jinja_env.preprocess("")
            return context

        vars(self)["_render_context"] = render_context
        try:
            super()._render_template()
        finally:
            del vars(self)["_render_context"]

    def _render_string(self, string: str, extra_context: dict[str, Any] | None = None) -> str:
        """Render a string, most of which hold nothing to be rendered."""
        if "{" in string or "\n" in string:
            return super()._render_string(string, extra_context)
        self.jinja_env.preprocess(string)  # resets the yield tag
        return string

    def _sync_git_index_executable_bit(self, dst_relpath: Path, src_mode: int) -> None:
        """Nothing: a new folder has no index yet; a process for each file costs about 25 ms."""
