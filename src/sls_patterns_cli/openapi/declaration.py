"""What a project's `openapi.yml` says: which model each route takes, and which it returns."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from sls_patterns_cli.cloudformation.document import document
from sls_patterns_cli.cloudformation.stack import find_all
from sls_patterns_cli.errors import UserError

FILE = "openapi.yml"
KEY = re.compile(r"(GET|PUT|POST|DELETE|HEAD|PATCH|OPTIONS) (/\S*)")
"""What a described route is called; of a route of API Gateway, one that leaves nothing open."""
PARAMETER = re.compile(r"\{([^}]+)\}")
INFO = "info"

Shape = str | Mapping[str, Any] | Sequence[Any]
"""The name of a model, a JSON Schema, or an object put together.

Of what is put together, each part is a model, whose fields it has, or maps more fields to shapes.
"""
Use = Literal["parameter", "input", "output"]
Named = tuple[str, Use]
"""A model, and whether it is a parameter, or what else callers send, or what they get."""

REFERENCE = "#/components/schemas/"
"""How a JSON Schema refers to a model."""


@dataclass(frozen=True)
class Response:
    """What a status returns; `body` is None where it has none."""

    body: Shape | None
    headers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """A described route. `parameters` and `headers` are one model, or a shape by name."""

    method: str
    path: str
    summary: str = ""
    parameters: Shape = field(default_factory=dict)
    headers: Shape = field(default_factory=dict)
    body: Shape | None = None
    responses: Mapping[int, Response] = field(default_factory=dict)
    errors: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def in_path(self) -> list[str]:
        """The names of the parameters of the path."""
        return PARAMETER.findall(self.path)

    def named(self) -> Iterator[Named]:
        """Yield the models that it names."""
        for group in (self.parameters, self.headers):
            yield from ((name, "parameter") for name in _models(_listed(group)))
        yield from ((name, "input") for name in _models(self.body))
        for response in self.responses.values():
            yield from ((name, "output") for name in _models(response.body))


def _listed(group: Shape) -> Shape:
    return [group] if isinstance(group, Mapping) else group


def _models(shape: Shape | None) -> Iterator[str]:
    if isinstance(shape, str):
        yield shape
    elif isinstance(shape, Mapping):
        references = find_all(shape, "$ref")
        yield from (each.removeprefix(REFERENCE) for each in references)
    elif shape:
        for part in shape:
            shapes = part.values() if isinstance(part, Mapping) else [part]
            for each in shapes:
                yield from _models(each)


@dataclass(frozen=True)
class Declaration:
    """All that `openapi.yml` says; `left_out` are the routes that it does not describe."""

    file: Path
    operations: tuple[Operation, ...]
    left_out: frozenset[str]
    info: Mapping[str, Any]


def declaration(root: Path) -> Declaration:
    """Read the `openapi.yml` of a project.

    Raises:
        UserError: it is missing, or says something that it cannot; the message names the place.
    """
    file = root / FILE
    if not file.is_file():
        raise UserError(
            f"{root} has no {FILE}, which says for each route of the API what it takes and "
            "returns; projects that are made today have one, and docs/openapi.md explains it"
        )
    said = document(file).content
    if not isinstance(said, dict) or not said:
        raise UserError(f"{file} must map routes, such as GET /products, to what they are.")
    info = said.pop(INFO, {})
    if not isinstance(info, dict):
        raise UserError(f"{file}: {INFO} must map names to values, such as version: '2.1'.")
    described = {key: value for key, value in said.items() if value is not None}
    operations = tuple(_operation(file, key, value) for key, value in described.items())
    return Declaration(file, operations, frozenset(map(str, said.keys() - described)), info)


def _operation(file: Path, key: Any, said: Any) -> Operation:
    match = KEY.fullmatch(str(key))
    if match is None:
        raise UserError(f"{file}: {key} must be a method and a path, such as GET /products.")
    where = f"{file}: {key}"
    if not isinstance(said, dict):
        raise UserError(f"{where} must map to a mapping, or to null to leave the route out.")
    allowed = ("summary", "parameters", "headers", "body", "responses", "response_headers")
    if unknown := [each for each in said if each not in (*allowed, "errors")]:
        names = ", ".join((*allowed, "errors"))
        raise UserError(f"{where} has {unknown[0]}; it may have: {names}.")
    headers = said.get("response_headers", {})
    responses = {
        _status(where, status): Response(
            None if body is None else _shape(f"{where}: {status}", body),
            _mapping(f"{where}: response_headers", headers).get(status, {}),
        )
        for status, body in _mapping(f"{where}: responses", said.get("responses", {})).items()
    }
    if not responses:
        raise UserError(f"{where} needs responses, such as {{200: Product}}.")
    if unknown := [each for each in headers if each not in responses]:
        raise UserError(f"{where}: {unknown[0]} has response_headers, but is not in responses.")
    errors = said.get("errors", [])
    if not isinstance(errors, list):
        raise UserError(f"{where}: errors must be a list of statuses, such as [400, 404].")
    operation = Operation(
        match[1],
        match[2],
        str(said.get("summary", "")),
        _shapes(f"{where}: parameters", said.get("parameters", {})),
        _shapes(f"{where}: headers", said.get("headers", {})),
        None if "body" not in said else _shape(f"{where}: body", said["body"]),
        responses,
        tuple(_status(where, each) for each in errors),
    )
    if not isinstance(operation.parameters, str):
        given = {name.removesuffix("?") for name in operation.parameters}
        if missing := [name for name in operation.in_path if name not in given]:
            raise UserError(f"{where}: parameters must have {missing[0]}, which is in the path.")
    return operation


def _status(where: str, status: Any) -> int:
    if status not in {each.value for each in HTTPStatus}:
        raise UserError(f"{where}: {status} is no status of HTTP.")
    return int(status)


def _shapes(where: str, said: Any) -> Shape:
    if isinstance(said, str):
        return said
    shapes = _mapping(where, said).items()
    return {str(key): _shape(f"{where}: {key}", each) for key, each in shapes}


def _shape(where: str, said: Any) -> Shape:
    """Return a shape; raises UserError for anything else, and for a reference to something else."""
    parts = said if isinstance(said, list) else [said]
    if not parts or not all(isinstance(part, str | dict) and part for part in parts):
        raise UserError(f"{where} must be a model, a JSON Schema, or a list of models and fields.")
    if isinstance(said, list):
        for fields in (part for part in said if isinstance(part, dict)):
            _shapes(where, fields)
    elif isinstance(said, dict):
        for each in find_all(said, "$ref"):
            if not str(each).startswith(REFERENCE):
                raise UserError(f"{where} refers to {each}; write {REFERENCE}Model.")
    shape: Shape = said
    return shape


def _mapping(where: str, said: Any) -> dict[Any, Any]:
    if not isinstance(said, dict):
        raise UserError(f"{where} must map names to values.")
    return said
