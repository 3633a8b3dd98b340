"""The items of a map state, one after the other, and the batches in which executions get them.

It changes nothing of the emulator itself.
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
"""

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters.stepfunctions.csv_rows import rows

INPUT_BYTES = 262_144
"""https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""

State = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """The input of one execution, and how many items that are."""

    input: str
    items: int


@dataclass(frozen=True)
class MapState:
    """The definition of a map state, with the input and the context that it was entered with."""

    definition: State
    given: Any
    context: dict[str, Any]

    def batches(self) -> Iterator[Batch]:
        """Yield the input of each execution; an item at a time without ItemBatcher."""
        batcher = self.definition.get("ItemBatcher")
        if batcher is None:
            return (Batch(_text(item), 1) for item in self._items())
        return self._grouped(batcher)

    def number(self, name: str, fields: State | None = None) -> float | None:
        """Return the number of a field, which may be a path to it; None where it is left out."""
        fields = self.definition if fields is None else fields
        path = fields.get(f"{name}Path")
        if path is None:
            number: float | None = fields.get(name)
            return number
        return float(stepfunctions._resolve_path_or_ctx(path, self.given, self.context))

    def resolved(self, template: Any) -> Any:
        """Return Parameters and the like, with their paths resolved."""
        return stepfunctions._resolve_params_obj(template, self.given, self.context)

    def _grouped(self, batcher: State) -> Iterator[Batch]:
        most_items = self.number("MaxItemsPerBatch", batcher) or math.inf
        most_bytes = min(self.number("MaxInputBytesPerBatch", batcher) or INPUT_BYTES, INPUT_BYTES)
        common = (
            {"BatchInput": self.resolved(batcher["BatchInput"])} if "BatchInput" in batcher else {}
        )
        least = len(_text({**common, "Items": []}).encode())
        items: list[Any] = []
        size = least
        for item in self._items():
            added = len(_text(item).encode()) + 1
            if least + added > INPUT_BYTES:
                says = f"An item of {added} bytes does not fit in an input of {INPUT_BYTES}"
                raise stepfunctions._ExecutionError("States.DataLimitExceeded", says)
            if items and (len(items) == most_items or size + added > most_bytes):
                yield Batch(_text({**common, "Items": items}), len(items))
                items, size = [], least
            items.append(item)
            size += added
        if items:
            yield Batch(_text({**common, "Items": items}), len(items))

    def _items(self) -> Iterator[Any]:
        selector = self.definition.get("ItemSelector") or self.definition.get("Parameters")
        for index, item in enumerate(self._read()):
            if selector:
                context = {**self.context, "Map": {"Item": {"Index": index, "Value": item}}}
                yield stepfunctions._resolve_params_obj(selector, self.given, context)
            else:
                yield item

    def _read(self) -> Iterator[Any]:
        reader = self.definition.get("ItemReader")
        if not reader:
            path = self.definition.get("ItemsPath", "$")
            items = stepfunctions._resolve_path_or_ctx(path, self.given, self.context)
        elif _is_read_by_line(reader):
            return self._of_object(reader)
        else:
            items = stepfunctions._read_map_items(reader, self.given, self.context)
        return iter(items if isinstance(items, list) else [items])

    def _of_object(self, reader: State) -> Iterator[Any]:
        where, config = self.resolved(reader["Parameters"]), reader["ReaderConfig"]
        lines = _lines(stepfunctions._s3_object_text(where["Bucket"], where["Key"]))
        items = rows(lines, config) if config["InputType"] == "CSV" else _json_lines(lines)
        most = self.number("MaxItems", config)
        return itertools.islice(_readable(items), int(most) if most else None)


def _is_read_by_line(reader: State) -> bool:
    kind = (reader.get("ReaderConfig") or {}).get("InputType")
    return kind in {"CSV", "JSONL"} and reader["Resource"].endswith("s3:getObject")


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _readable(items: Iterator[Any]) -> Iterator[Any]:
    """Yield the items; an object that cannot be read, or has none, fails the map.

    AWS does not document what it does with an object without items. So a machine must not rely on
    it, and here it fails.
    """
    try:
        yield next(items)
        yield from items
    except StopIteration:
        raise stepfunctions._ExecutionError(
            "States.ItemReaderFailed", "The object has no items"
        ) from None
    except ValueError as error:
        says = f"The object cannot be read: {error}"
        raise stepfunctions._ExecutionError("States.ItemReaderFailed", says) from error


def _lines(text: str) -> Iterator[str]:
    """Yield one line after the other, with its end, and without a copy of all of them."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _json_lines(lines: Iterator[str]) -> Iterator[Any]:
    return (json.loads(line) for line in lines if line.strip())
