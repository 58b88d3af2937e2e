"""The items of a Map: what an iteration gets and the context object says of each, and what a reader's file holds.

A file is JSON, JSON Lines or CSV, as the ReaderConfig says; its items are JSON values.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from cirrus.asl import data
from cirrus.asl.commands import ReadItems
from cirrus.asl.execution import Fork
from cirrus.asl.failure import ITEM_READER, Failure

DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
MOST = 100_000_000
STATE_DATA = "STATE_DATA"
"""The source of items that stand in the state's input."""


class Member(NamedTuple):
    """A member of an object whose members are the items."""

    key: str
    value: Any


def as_input(item: Any) -> Any:
    """What an iteration gets without an ItemSelector."""
    return {"Key": item.key, "Value": item.value} if item.__class__ is Member else item


def context_item(fork: Fork, index: int) -> dict[str, Any]:
    """What the context object says of an item, as `Map.Item`."""
    item = fork.items[index]
    if item.__class__ is Member:
        return {"Index": index, "Key": item.key, "Value": item.value, "Source": fork.source}
    return {"Index": index, "Value": item, "Source": fork.source}


def source_of(command: ReadItems) -> str:
    """Where a reader's items come from: an object, or the bucket that was listed."""
    parameters = command.parameters if isinstance(command.parameters, dict) else {}
    bucket = f"s3://{parameters.get('Bucket', '')}"
    return bucket if command.kind.endswith("listObjectsV2") else f"{bucket}/{parameters.get('Key', '')}"


def parse_items(content: Any, config: Mapping[str, Any]) -> Any:
    """The items of a file's text as `config` (a ReaderConfig) says, or a copy of items that were read already."""
    most = limit(config)
    try:
        content = data.opened(content)
        found = read_text(content, config) if isinstance(content, str) else data.take(content)[0]
    except (ValueError, RecursionError, csv.Error) as error:
        raise Failure(ITEM_READER, f"The items could not be read: {error}") from None
    if isinstance(found, dict):
        return dict(list(found.items())[:most])
    if not isinstance(found, list):
        raise Failure(ITEM_READER, "Attempting to map over non-iterable node.")
    return found if len(found) <= most else found[:most]


def limit(config: Mapping[str, Any]) -> int:
    """How many items are read at most; raises Failure for a limit that is none. 0 stands for no limit."""
    most = config.get("MaxItems")
    if most is None:
        return MOST
    if isinstance(most, str) and most.lstrip("-").isascii() and most.lstrip("-").isdigit():
        most = int(most)
    if isinstance(most, bool) or not isinstance(most, int | float) or most != int(most):
        raise Failure(ITEM_READER, f"field MaxItems must be a whole number but was: {data.text(most)[:100]}")
    if most < 0:
        raise Failure(ITEM_READER, "field MaxItems must be positive")
    return min(int(most) or MOST, MOST)


def read_text(content: str, config: Mapping[str, Any]) -> Any:
    """The items of a text."""
    kind = config.get("InputType", "JSON")
    if kind == "JSON":
        return pointed(json.loads(content), config.get("ItemsPointer", ""))
    if kind == "JSONL":
        return [json.loads(line) for line in content.split("\n") if line.strip()]
    if kind == "CSV":
        return read_csv(content, config)
    raise ValueError(f"a text of the InputType {kind} holds no items; the driver answers with those that it read")


def pointed(document: Any, pointer: str) -> Any:
    """What a JSON pointer leads to."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        try:
            document = document[int(name)] if isinstance(document, list) else document[name]
        except (KeyError, IndexError, TypeError):
            raise ValueError(f"ItemsPointer {pointer} leads to nothing") from None
    return document


def read_csv(content: str, config: Mapping[str, Any]) -> list[dict[str, str]]:
    """One object for each row, its values texts; names come from the first row or the config."""
    delimiter = DELIMITERS[config.get("CSVDelimiter", "COMMA")]
    rows = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    given = config.get("CSVHeaderLocation", "FIRST_ROW") == "GIVEN"
    names = list(config.get("CSVHeaders", ())) if given else next(rows, [])
    if len(set(names)) < len(names):
        raise Failure(ITEM_READER, "CSV headers cannot contain duplicates.")
    return [dict(zip(names, [*row, *[""] * (len(names) - len(row))], strict=False)) for row in rows if row]
