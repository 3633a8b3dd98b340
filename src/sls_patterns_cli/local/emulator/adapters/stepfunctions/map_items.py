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
        elif (reader.get("ReaderConfig") or {}).get("InputType") == "JSONL":
            return self._lines(reader)
        else:
            items = stepfunctions._read_map_items(reader, self.given, self.context)
        return iter(items if isinstance(items, list) else [items])

    def _lines(self, reader: State) -> Iterator[Any]:
        where = self.resolved(reader["Parameters"])
        text = stepfunctions._s3_object_text(where["Bucket"], where["Key"])
        most = self.number("MaxItems", reader["ReaderConfig"])
        return itertools.islice(_json_lines(text), int(most) if most else None)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _json_lines(text: str) -> Iterator[Any]:
    """Read one line after the other, without a copy of all of them.

    AWS does not document what it does with an object without lines. So a machine must not rely on
    it, and here it fails.
    """
    if not text.strip():
        raise stepfunctions._ExecutionError("States.ItemReaderFailed", "The object has no items")
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = end if end >= 0 else len(text)
        line, start = text[start:end], end + 1
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                says = f"The object is not valid JSON Lines: {error}"
                raise stepfunctions._ExecutionError("States.ItemReaderFailed", says) from error
