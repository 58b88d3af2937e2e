"""The items that a reader's file holds: JSON, JSON Lines, CSV or an S3 inventory, as lists of JSON values."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from cirrus.asl import data
from cirrus.asl.failure import ITEM_READER, Failure

DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
MOST = 100_000_000


def parse_items(content: Any, config: Mapping[str, Any]) -> list[Any]:
    """The items of a file's text as `config` (a ReaderConfig) says, or a copy of a list that was read already."""
    try:
        content = data.opened(content)
        found = read_text(content, config) if isinstance(content, str) else data.take(content)[0]
    except (ValueError, RecursionError, csv.Error) as error:
        raise Failure(ITEM_READER, f"The items could not be read: {error}") from None
    if not isinstance(found, list):
        raise Failure(ITEM_READER, "The items could not be read: expected an array")
    most = config.get("MaxItems")
    return found[:most] if isinstance(most, int) and most > 0 else found


def read_text(content: str, config: Mapping[str, Any]) -> Any:
    """The items of a text."""
    kind = config.get("InputType", "JSON")
    if kind == "JSON":
        return pointed(json.loads(content), config.get("ItemsPointer", ""))
    if kind == "JSONL":
        return [json.loads(line) for line in content.splitlines() if line.strip()]
    if kind == "CSV":
        return read_csv(content, config)
    if kind == "MANIFEST":
        return json.loads(content)["files"]
    raise ValueError(f"InputType {kind} is not supported")


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
    return [dict(zip(names, [*row, *[""] * (len(names) - len(row))], strict=False)) for row in rows if row]
