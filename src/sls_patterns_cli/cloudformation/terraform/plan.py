"""The resources of a Terraform plan, and which attributes their unknown values come from.

The values are those of `terraform show -json`; a value that AWS has yet to make is followed through
the configuration's references (https://developer.hashicorp.com/terraform/internals/json-format).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

Expression = Mapping[str, Any]

# What a plan leaves out where Terraform decides only during the apply whether it is there at all.
BLOCKS = {"dead_letter_config", "destination_config", "on_failure", "on_success"}
# What identifies a resource that exists already; the first that has a value names it.
IDENTITIES = ("arn", "url", "stream_arn", "qualified_arn")
# Attributes of these names that are another resource's.
OF_OTHERS = {
    ("aws_cloudwatch_event_target", "arn"),
    ("aws_dynamodb_kinesis_streaming_destination", "stream_arn"),
    ("aws_kinesis_stream_consumer", "stream_arn"),
    ("aws_secretsmanager_secret_version", "arn"),
    ("aws_sns_topic_data_protection_policy", "arn"),
    ("aws_sns_topic_policy", "arn"),
}

STEP = re.compile(r'\[("(?:[^"\\]|\\.)*"|\d+)\]|([^.\[\]]+)')
MODULE = re.compile(r"module\.([^.\[]+)(?:\[(.*)\])?", re.DOTALL)

# The type of a local value, which a plan does not show.
LOCAL = "local"

Key = str | int | None


@dataclass(frozen=True)
class Attribute:
    """An attribute of a resource; `name` is empty where the plan does not say which."""

    address: str
    type: str
    name: str
    is_data: bool = False
    """Whether it is a data source: what it describes is outside of the plan."""


@dataclass(frozen=True)
class Unknown:
    """A value that Terraform knows after the apply, and the attributes that it is made of."""

    sources: tuple[Attribute, ...] = ()


@dataclass(frozen=True)
class Joined:
    """An ARN with something behind it, such as the objects of a bucket."""

    attribute: Attribute
    suffix: str


@dataclass
class Planned:
    """A resource or data source as the plan leaves it.

    Among the values are `Attribute` and `Joined` for what another resource has, and `Unknown`.
    Text of JSON is parsed, so that they stand in policies as well.
    """

    address: str
    type: str
    is_data: bool
    values: dict[str, Any]


def planned(plan: Mapping[str, Any]) -> list[Planned]:
    """Return all resources that there are once the plan is applied, and its data sources."""
    return _Plan(plan).resources()


@dataclass
class _Instance:
    """One instance of a resource: `key` is its index with `count` or `for_each`."""

    address: str
    type: str
    is_data: bool
    key: Key
    values: Mapping[str, Any]
    sensitive: Mapping[str, Any]


@dataclass
class _Module:
    """One instance of a module; `call` is the part of its parent's configuration that makes it."""

    address: str
    configuration: Mapping[str, Any]
    parent: "_Module | None" = None
    call: Mapping[str, Any] = field(default_factory=dict)
    key: Key = None
    instances: dict[str, list[_Instance]] = field(default_factory=dict)
    """By the address in the module, without index."""
    children: dict[str, list["_Module"]] = field(default_factory=dict)

    @cached_property
    def resources(self) -> dict[str, Mapping[str, Any]]:
        """The configuration of each resource, by its address in the module."""
        return {
            each["address"]: each
            for each in _dictionaries(self.configuration.get("resources"))
            if isinstance(each.get("address"), str)
        }


@dataclass(frozen=True)
class _Scope:
    """What `each` means to an expression, and whose names it uses."""

    module: _Module
    key: Key = None
    for_each: Any = None


class _Plan:
    def __init__(self, plan: Mapping[str, Any]) -> None:
        after = plan.get("planned_values") or plan.get("values")
        self._after = dict(_modules(_dictionary(after).get("root_module")))
        before = _dictionary(_dictionary(plan.get("prior_state")).get("values"))
        self._before = dict(_modules(before.get("root_module")))
        self._unknown = {
            str(each.get("address")): _dictionary(each.get("change")).get("after_unknown")
            for each in _dictionaries(plan.get("resource_changes"))
        }
        configuration = _dictionary(_dictionary(plan.get("configuration")).get("root_module"))
        self._root = self._module(_Module("", configuration))
        self._known = dict(self._identities(self._root))

    def resources(self) -> list[Planned]:
        return list(self._resources(self._root))

    def _module(self, module: _Module) -> _Module:
        for each in _dictionaries(_dictionary(self._after.get(module.address)).get("resources")):
            self._add(module, each)
        # Data sources that were read for the plan are part of the state before it.
        for each in _dictionaries(_dictionary(self._before.get(module.address)).get("resources")):
            if each.get("mode") == "data":
                self._add(module, each)
        calls = _dictionary(module.configuration.get("module_calls"))
        found: dict[str, list[tuple[str, Key]]] = {str(name): [] for name in calls}
        for address in {**self._after, **self._before}:
            prefix = f"{module.address}." if module.address else ""
            inner = address.removeprefix(prefix) if address.startswith(prefix) else ""
            match = MODULE.fullmatch(inner)
            if match and not _is_nested(match[2]):
                found.setdefault(match[1], []).append((address, _key(match[2])))
        for name, instances in found.items():
            call = _dictionary(calls.get(name))
            # A module without resources has no values; its outputs may lead on all the same.
            for address, key in instances or [(f"{module.address}.module.{name}".strip("."), None)]:
                child = _Module(address, _dictionary(call.get("module")), module, call, key)
                module.children.setdefault(name, []).append(self._module(child))
        return module

    def _add(self, module: _Module, resource: Mapping[str, Any]) -> None:
        type_, name, address = (str(resource.get(key)) for key in ("type", "name", "address"))
        is_data = resource.get("mode") == "data"
        local = f"data.{type_}.{name}" if is_data else f"{type_}.{name}"
        key = resource.get("index")
        instances = module.instances.setdefault(local, [])
        if all(each.address != address for each in instances):
            instances.append(
                _Instance(
                    address,
                    type_,
                    is_data,
                    key if isinstance(key, str | int) else None,
                    _dictionary(resource.get("values")),
                    _dictionary(resource.get("sensitive_values")),
                )
            )

    def _identities(self, module: _Module) -> Iterator[tuple[str, Attribute]]:
        """Return what is known of resources that exist already, as ARN or URL."""
        for each in (one for instances in module.instances.values() for one in instances):
            for name in IDENTITIES[::-1]:
                value = each.values.get(name)
                is_own = not each.is_data and (each.type, name) not in OF_OTHERS
                if is_own and isinstance(value, str) and value.startswith(("arn:", "https://")):
                    yield value, Attribute(each.address, each.type, name)
        for children in module.children.values():
            for child in children:
                yield from self._identities(child)

    def _resources(self, module: _Module) -> Iterator[Planned]:
        for local, instances in module.instances.items():
            configuration = module.resources.get(local, {})
            expressions = configuration.get("expressions", {} if configuration else None)
            for each in instances:
                scope = _Scope(module, each.key, configuration.get("for_each_expression"))
                unknown = self._unknown.get(each.address)
                if unknown is None and isinstance(expressions, dict):
                    unknown = {name: True for name in expressions if name not in each.values}
                values = self._values(scope, each.values, unknown, each.sensitive, expressions)
                yield Planned(each.address, each.type, each.is_data, values)
        for children in module.children.values():
            for child in children:
                yield from self._resources(child)

    def _values(
        self, scope: _Scope, values: Any, unknown: Any, sensitive: Any, expressions: Any
    ) -> dict[str, Any]:
        unknown, sensitive = _dictionary(unknown), _dictionary(sensitive)
        expressions = expressions if isinstance(expressions, dict) else None
        result = {}
        for name in {**values, **unknown}:
            is_known = expressions is None or name in expressions
            if unknown.get(name) is True and not is_known and name not in BLOCKS:
                continue  # not configured: AWS chooses it, and nothing else refers to it by this
            result[name] = self._value(
                scope,
                values.get(name),
                unknown.get(name),
                sensitive.get(name),
                expressions.get(name) if expressions else None,
            )
        return result

    def _value(
        self, scope: _Scope, value: Any, unknown: Any, sensitive: Any, expression: Any
    ) -> Any:
        """Return the value with what is unknown in it followed.

        `expression` is None where the plan does not have it.
        """
        if unknown is True:
            return self._followed(scope, expression)
        if isinstance(value, dict):
            if _is_expression(expression):
                expression = dict.fromkeys({**value, **_dictionary(unknown)}, expression)
            return self._values(scope, value, unknown, sensitive, expression)
        if isinstance(value, list):
            expressions = _aligned(value, expression)
            return [
                self._value(scope, inner, _at(unknown, index), _at(sensitive, index), each)
                for index, (inner, each) in enumerate(zip(value, expressions, strict=True))
            ]
        if sensitive is True:
            return Unknown()
        return self._identified(scope, value, expression) if isinstance(value, str) else value

    def _identified(self, scope: _Scope, value: str, expression: Any) -> Any:
        """Return the attribute whose value this is, where the plan knows it; or else the value."""
        sources = {
            attribute
            for instance, attribute in _sources(scope, expression)
            if instance and instance.values.get(attribute.name) == value and not attribute.is_data
        }
        return sources.pop() if len(sources) == 1 else self._read(value)

    def _read(self, value: Any) -> Any:
        """Return a known value with what exists already in the place of its ARN or URL."""
        if isinstance(value, dict):
            return {name: self._read(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._read(inner) for inner in value]
        parsed = _json(value)
        if parsed is not None:
            return self._read(parsed)
        ends = [at.start() for at in re.finditer("[:/]|$", value)] if isinstance(value, str) else []
        for end in reversed(ends):
            attribute = self._known.get(value[:end])
            if attribute:
                return Joined(attribute, value[end:]) if value[end:] else attribute
        return value

    def _followed(self, scope: _Scope, expression: Any) -> Unknown:
        """Return an unknown value with what makes it unknown, not what is known besides."""
        found = list(dict.fromkeys((a, _is_known(i, a)) for i, a in _sources(scope, expression)))
        unknown = [a for a, known in found if not known or a.type == "aws_lambda_alias"]
        return Unknown(tuple(unknown or [attribute for attribute, _ in found]))


Source = tuple[_Instance | None, Attribute]


def _sources(scope: _Scope, expression: Any) -> Iterator[Source]:
    """Yield the attributes that an expression is made of, through modules."""
    return _Search().expression(scope, expression, (), frozenset())


class _Search:
    """Follows references; each only once, since what is no plan of Terraform's may have circles.

    `rest` is what is taken from a result, `keys` are those of the instances it is meant for.
    """

    def __init__(self) -> None:
        self._seen = set[tuple[str, str]]()

    def expression(
        self, scope: _Scope, expression: Any, rest: tuple[Any, ...], keys: frozenset[Key]
    ) -> Iterator[Source]:
        if isinstance(expression, list):
            for inner in expression:
                yield from self.expression(scope, inner, rest, keys)
            return
        if not isinstance(expression, dict):
            return
        if not _is_expression(expression):
            yield from self.expression(scope, list(expression.values()), rest, keys)
            return
        references = _longest(expression.get("references"))
        if any(reference.startswith(("each.", "count.")) for reference in references):
            keys |= {scope.key}
        for reference in references:
            if rest and reference.startswith("local."):
                # Of several things in an object, any may be what is taken.
                yield None, Attribute(reference, LOCAL, "")
            if (scope.module.address, reference) not in self._seen:
                self._seen.add((scope.module.address, reference))
                yield from self._reference(scope, (*_steps(reference), *rest), keys)

    def _reference(
        self, scope: _Scope, path: tuple[Any, ...], keys: frozenset[Key]
    ) -> Iterator[Source]:
        module = scope.module
        match path:
            case ("each", "value", *rest) if scope.for_each is not None:
                yield from self.expression(_Scope(module), scope.for_each, tuple(rest), keys)
            case ("var", name, *rest) if module.parent is not None:
                given = _dictionary(module.call.get("expressions")).get(name)
                caller = _Scope(module.parent, module.key, module.call.get("for_each_expression"))
                yield from self.expression(caller, given, tuple(rest), keys)
            case ("module", name, *rest) if name in module.children:
                yield from self._outputs(module.children[name], rest, keys)
            case (
                "each" | "var" | "local" | "count" | "path" | "terraform" | "self" | "module",
                *_,
            ):
                return
            case ("data", str() as type_, str() as name, *rest):
                yield from _attributes(module, f"data.{type_}.{name}", rest, keys)
            case (str() as type_, str() as name, *rest):
                yield from _attributes(module, f"{type_}.{name}", rest, keys)

    def _outputs(
        self, modules: list[_Module], path: list[Any], keys: frozenset[Key]
    ) -> Iterator[Source]:
        chosen, rest = _chosen([module.key for module in modules], path, keys)
        for module in (modules[index] for index in chosen):
            outputs = _dictionary(module.configuration.get("outputs"))
            # With a key that the plan does not show, the name of the output is lost as well.
            for name in [rest[0]] if rest and rest[0] in outputs else outputs:
                expression = _dictionary(outputs[name]).get("expression")
                yield from self.expression(_Scope(module), expression, tuple(rest[1:]), keys)


def _attributes(
    module: _Module, local: str, rest: list[Any], keys: frozenset[Key]
) -> Iterator[Source]:
    instances = module.instances.get(local, [])
    chosen, rest = _chosen([each.key for each in instances], rest, keys)
    name = next((step for step in rest if isinstance(step, str)), "")
    for each in (instances[index] for index in chosen):
        yield each, Attribute(each.address, each.type, name, each.is_data)
    if not instances and local.startswith("data."):
        address = f"{module.address}.{local}".strip(".")
        yield None, Attribute(address, local.split(".")[1], name, is_data=True)


def _chosen(
    keys: list[Key], rest: list[Any], wanted: frozenset[Key]
) -> tuple[list[int], list[Any]]:
    """Return which of the instances with these keys a path means, and what is left of the path."""
    everything = list(range(len(keys)))
    match rest:
        case [(key,), *others] if key in keys:
            return [keys.index(key)], others
        case [(_,), *others] if keys != [None]:
            return [], others
    same = [index for index in everything if keys[index] in wanted and keys[index] is not None]
    return same or everything, rest


def _is_known(instance: _Instance | None, attribute: Attribute) -> bool:
    return instance is not None and instance.values.get(attribute.name) is not None


def _is_expression(value: Any) -> bool:
    """Tell an expression from a block, which maps names to expressions."""
    return isinstance(value, dict) and bool({"references", "constant_value"} & value.keys())


def _aligned(values: list[Any], expression: Any) -> list[Any]:
    """Return the expression of each element: sets have another order than the configuration."""
    if _is_expression(expression):
        return [expression] * len(values)
    if not isinstance(expression, list) or len(expression) != len(values):
        return [None] * len(values)
    left = list(expression)
    result = []
    for index, value in enumerate(values):
        first = expression[index]
        candidates = [first, *left] if first in left else left
        found = next((each for each in candidates if _agree(value, each)), None)
        if found is not None:
            left.remove(found)
        result.append(found)
    return result


def _agree(value: Any, block: Any) -> bool:
    """Tell whether a block may have given the value: what it says as a constant is there."""
    if not isinstance(value, dict) or not isinstance(block, dict):
        return not isinstance(value, dict)
    return all(
        value.get(name) == inner["constant_value"]
        for name, inner in block.items()
        if isinstance(inner, dict) and "constant_value" in inner
    )


def _longest(references: Any) -> list[str]:
    """Return references without their own beginnings, which the plan names as well."""
    texts = [each for each in _list(references) if isinstance(each, str)]
    return [
        text
        for text in texts
        if not any(other.startswith((f"{text}.", f"{text}[")) for other in texts)
    ]


def _steps(reference: str) -> tuple[Any, ...]:
    """Return the names of a reference, and its keys as tuples of one: `q["a"].arn` has three."""
    return tuple(
        name or (_key(key),) for key, name in (match.groups() for match in STEP.finditer(reference))
    )


def _key(text: str | None) -> Key:
    """Return an index as it stands between the brackets of an address."""
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return text
    return value if isinstance(value, str | int) else None


def _json(text: Any) -> dict[str, Any] | None:
    """Return the object that a text is in JSON; None where it is something else."""
    try:
        value = json.loads(text) if isinstance(text, str) and text.startswith("{") else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _is_nested(key: str | None) -> bool:
    """Tell whether what looks like an index is one and the address of an inner module."""
    return key is not None and not re.fullmatch(r'"(?:[^"\\]|\\.)*"|\d+', key)


def _modules(module: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    values = _dictionary(module)
    yield str(values.get("address", "")), values
    for child in _dictionaries(values.get("child_modules")):
        yield from _modules(child)


def _at(value: Any, index: int) -> Any:
    """Return what is said of an element of a list: a plan says once what is true of them all."""
    if isinstance(value, list):
        return value[index] if index < len(value) else None
    return value


def _dictionary(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _dictionaries(value: Any) -> Iterable[Mapping[str, Any]]:
    return [each for each in _list(value) if isinstance(each, dict)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
