"""The protocol of the custom event bus's API, smithy-rpc-v2-cbor; it changes nothing itself.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

takes_any_text = False
"""Whether texts need no form: `prove` has values for what it does not know."""

HEADERS = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}

Answer = tuple[int, dict[str, str], bytes]


class RefusedError(Exception):
    """A request that the service answers with an error, such as InvalidInputException."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@cache
def _model() -> Any:
    import botocore.session  # which would make each start of the emulator longer

    return botocore.session.Session().get_service_model("eventbridgev2")


def request_shape(name: str) -> Any:
    """Return the model of what an operation takes."""
    return _model().operation_model(name).input_shape


def response_shape(name: str) -> Any:
    """Return the model of what an operation answers."""
    return _model().operation_model(name).output_shape


def read(body: bytes) -> dict[str, Any]:
    """Return what the body of a request holds."""
    if not body:
        return {}
    from botocore.parsers import BaseCBORParser

    parser = BaseCBORParser()
    found: dict[str, Any] = parser.parse_data_item(parser.get_peekable_stream_from_bytes(body))
    return found


def answer(name: str, response: Mapping[str, Any]) -> Answer:
    """Return the answer to an operation; what its model does not have is left out."""
    shape = response_shape(name)
    known = {key: value for key, value in response.items() if key in shape.members}
    return 200, dict(HEADERS), _written(known, shape)


def refusal(code: str, message: str, status: int = 400) -> Answer:
    """Return the answer to what is refused."""
    shape = _model().shape_for(code) if code in _model().shape_names else None
    key = next(iter(shape.members), "Message") if shape else "Message"
    texts = {"__type": code, key: message}
    return status, dict(HEADERS), _texts(texts)


def checked(given: Any, shape: Any, path: str = "") -> Any:
    """Return a request in the types of its model; raises RefusedError for what it does not allow.

    A template has numbers as text where they are parameters.
    """
    match shape.type_name:
        case "structure":
            return _structure(given, shape, path)
        case "list":
            _between(len(given), shape, path)
            return [checked(each, shape.member, f"{path}[{i}]") for i, each in enumerate(given)]
        case "map":
            _between(len(given), shape, path)
            return {key: checked(each, shape.value, f"{path}.{key}") for key, each in given.items()}
        case "integer":
            _between(int(given), shape, path)
            return int(given)
        case "string":
            return _text(str(given), shape, path)
    return given


def _structure(given: Any, shape: Any, path: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise _invalid(path, "is no object")
    if unknown := given.keys() - shape.members.keys():
        raise _invalid(f"{path}.{min(unknown)}".lstrip("."), "is not known")
    if missing := [name for name in shape.required_members if name not in given]:
        raise _invalid(f"{path}.{missing[0]}".lstrip("."), "is required")
    return {
        name: checked(value, shape.members[name], f"{path}.{name}".lstrip("."))
        for name, value in given.items()
    }


def _text(given: str, shape: Any, path: str) -> str:
    if shape.enum and given not in shape.enum:
        raise _invalid(path, f"must satisfy enum value set: {shape.enum}")
    _between(len(given), shape, path)
    pattern = shape.metadata.get("pattern")
    if pattern and not takes_any_text and not re.fullmatch(pattern, given):
        raise _invalid(path, f"must satisfy regular expression pattern: {pattern}")
    return given


def _between(number: int, shape: Any, path: str) -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and number < least:
        raise _invalid(path, f"must be at least {least}")
    if most is not None and number > most:
        raise _invalid(path, f"must be at most {most}")


def _invalid(path: str, why: str) -> RefusedError:
    return RefusedError("InvalidInputException", f"{path} {why}")


@cache
def _writer() -> Any:
    from botocore.serialize import RpcV2CBORSerializer

    return RpcV2CBORSerializer()


def _written(value: Any, shape: Any) -> bytes:
    writer, written = _writer(), bytearray()
    writer._serialize_data_item(written, value, shape)
    return bytes(written)


def _texts(texts: Mapping[str, str]) -> bytes:
    """A map of texts, which is the body of an error."""
    writer, written = _writer(), bytearray()
    written.extend(writer._get_initial_byte(writer.MAP_MAJOR_TYPE, len(texts)))
    for text in (each for pair in texts.items() for each in pair):
        writer._serialize_type_string(written, text, None, None)
    return bytes(written)
