"""What Jinja has compiled in one process is there in the next ones.

Compiling is most of what an update takes, as nobody's cache has the templates of other versions.
The code of a template follows from its text, its name and the settings of its environment.
"""

import marshal
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, nodes

if TYPE_CHECKING:
    from types import CodeType

Key = tuple[str, str | None, str]

SETTINGS = (
    *("block_start_string", "block_end_string", "variable_start_string", "variable_end_string"),
    *("comment_start_string", "comment_end_string", "line_statement_prefix", "line_comment_prefix"),
    *("trim_blocks", "lstrip_blocks", "newline_sequence", "keep_trailing_newline"),
    *("optimized", "autoescape", "finalize", "is_async", "sandboxed", "extensions"),
)


class Compiled:
    """The code of templates, with which Jinja begins in this process once it is `used`."""

    def __init__(self) -> None:
        self._known: dict[Key, CodeType] = {}
        self._new: dict[Key, CodeType] = {}

    def use(self) -> None:
        compile_anew = Environment.compile

        def compile_once(
            environment: Environment,
            source: str | nodes.Template,
            name: str | None = None,
            filename: str | None = None,
            **options: Any,
        ) -> Any:
            if options or not isinstance(source, str):
                return compile_anew(environment, source, name, filename, **options)
            key = (source, name, settings(environment))
            if key in self._known:
                # An effect of compiling, by which extensions know of the text.
                environment.preprocess(source, name, filename)
            else:
                code = compile_anew(environment, source, name, filename)
                self._known[key] = self._new[key] = code
            return self._known[key].replace(co_filename=filename or "<template>")

        Environment.compile = compile_once  # type: ignore[method-assign,assignment]

    def new(self) -> bytes:
        """Return what was compiled here, for `learn` of another process."""
        return marshal.dumps(self._new)

    def learn(self, new: bytes) -> None:
        self._known.update(marshal.loads(new))  # noqa: S302 (it comes from our own child)


def settings(environment: Environment) -> str:
    """Return what else decides which code a template becomes."""
    values = {name: getattr(environment, name) for name in SETTINGS}
    return repr({**values, "extensions": sorted(values["extensions"])})
