"""Files of YAML and JSON: what they say, and on which line."""

import io
import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from sls_patterns_cli.errors import UserError

Template = dict[str, Any]

LARGEST, LARGEST_JSON = 5_000_000, 20_000_000
"""Bytes of a file that is read. CloudFormation takes templates of 1 MB, and SAM's grow before they
get there: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html.
Plans of Terraform have no limit; JSON takes a tenth of the memory of YAML.
"""

MOST_VALUES = 500_000
"""Values that a file may have once its aliases are followed: a few lines can name billions."""

BOOTSTRAP_PARAMETER = "BootstrapVersion"
"""A parameter of each template that CDK has made."""

DEEPEST = 100
"""Levels of values. CloudFormation's own limit is not published; no known template has 50."""


@dataclass(frozen=True)
class Document:
    """What one file says; `text` is kept to find lines, which most files are never asked for."""

    file: Path
    content: Any
    text: str

    def line(self, *path: str) -> int:
        """Return the line (from 1) of the value at the path, or of the last part that is there.

        A property that is missing is missing from its resource, not from the line of Properties.
        """
        import yaml

        node, found = self._root, 1
        for part in path:
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            inner = next((pair for pair in pairs if pair[0].value == part), None)
            if inner is None:
                break
            if part != "Properties":
                found = inner[0].start_mark.line + 1
            node = inner[1]
        return found

    @cached_property
    def _root(self) -> Any:
        import yaml

        try:
            return yaml.compose(self.text, Loader=_loader())
        except yaml.YAMLError:  # JSON may have tabs between its values, YAML may not
            return yaml.compose(self.text.replace("\t", " "), Loader=_loader())


def document(file: Path) -> Document:
    """Read a file of YAML, with CloudFormation's short forms (`!Ref`), or JSON; raises UserError.

    Dates stay as they are written, as CloudFormation takes them.
    """
    return _parsed(file, _text(file))


def _parsed(file: Path, text: str) -> Document:
    content = _json(file, text) if text.lstrip()[:1] in {"{", "["} else None
    return Document(file, _yaml(file, text) if content is None else content, text)


def template_of(text: str, name: str) -> Template:
    """Read the text of a template, which errors call by this name; raises UserError as `read`."""
    return _checked(_parsed(Path(name), text))


def read(file: Path) -> Template:
    """Read a template; raises UserError for what has no resources that can be read."""
    return _checked(document(file))


def _checked(read_document: Document) -> Template:
    file, template = read_document.file, read_document.content
    if problem := problem_of(template):
        raise UserError(f"{file}: {problem}.")
    checked: Template = template
    return checked


def read_json(file: Path) -> Any:
    """Parse a file of JSON; raises UserError."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is not valid JSON: {error}") from error


def problem_of(template: Any) -> str | None:
    """Say what keeps parsed YAML from being a template whose resources can be read."""
    if not isinstance(template, dict) or not template.get("Resources"):
        return "it has no Resources"
    if not isinstance(template["Resources"], dict):
        return "Resources must map names to resources"
    shared = template.get("Globals", {})
    if not isinstance(shared, dict) or not isinstance(shared.get("Function", {}), dict):
        return "Globals must map kinds of resources to properties"
    for name, resource in template["Resources"].items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            return f"the resource {name} has no Type"
        for part in ("Properties", "Metadata"):
            if not isinstance(resource.get(part, {}), dict):
                return f"{part} of the resource {name} must map names to values"
    return None


def _text(file: Path) -> str:
    try:
        most = LARGEST_JSON if file.suffix == ".json" else LARGEST
        with file.open("rb") as opened:
            content = opened.read(most + 1)  # of a device there is no end
        if len(content) > most:
            raise UserError(f"{file} has more than {most // 1_000_000} MB, which is not read.")
        return io.StringIO(content.decode("utf-8-sig"), newline=None).read()
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not text.") from error
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from error


def _json(file: Path, text: str) -> Any:
    """What the text says as JSON; None where it is something else that begins like it."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    except RecursionError as error:
        raise _too_deep(file) from error
    if _is_deeper(content, DEEPEST):
        raise _too_deep(file)
    return content


def _is_deeper(value: Any, levels: int) -> bool:
    """Tell whether values are nested in more than so many others."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)


def _too_deep(file: Path) -> UserError:
    return UserError(f"{file} is nested more than {DEEPEST} levels deep.")


def _yaml(file: Path, text: str) -> Any:
    import yaml

    loader = _loader()(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _Size(file).of(node)
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:  # such as a number that cannot be one
        raise UserError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise _too_deep(file) from error
    finally:
        loader.dispose()


class _Size:
    """Counts the values of a document as they are once each alias is followed; raises UserError."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._sizes: dict[int, int | None] = {}
        """By the id of a node; None while its own values are counted."""

    def of(self, node: Any, depth: int = 0) -> int:
        if depth > DEEPEST:
            raise _too_deep(self._file)
        if node.id == "scalar":
            return 1
        if id(node) not in self._sizes:
            self._sizes[id(node)] = None
            pairs = node.id == "mapping"
            inner = [each for pair in node.value for each in pair] if pairs else node.value
            size = 1 + sum(self.of(each, depth + 1) for each in inner)
            if size > MOST_VALUES:
                raise UserError(f"{self._file} has more than {MOST_VALUES:,} values.")
            self._sizes[id(node)] = size
        found = self._sizes[id(node)]
        if found is None:
            raise UserError(f"{self._file} has a value that contains itself.")
        return found


@cache
def _loader() -> Any:
    """A loader that knows short forms; with libyaml it is ten times faster."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        pass

    dates = "tag:yaml.org,2002:timestamp"
    Loader.yaml_implicit_resolvers = {
        first: [each for each in resolvers if each[0] != dates]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    Loader.add_multi_constructor("!", _short_form)
    return Loader


def _short_form(loader: Any, name: str, node: Any) -> dict[str, Any]:
    import yaml

    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}
