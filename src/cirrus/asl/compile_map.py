"""The fields of Map states: items, limits, and what distributed mode adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cirrus.asl.definition import Batcher, Evaluate, MapState, Reader, State, Writer
from cirrus.asl.fields import constant, expression, finder, number, template, typed_expression
from cirrus.asl.limits import count, percentage
from cirrus.asl.resource import read_resource

Raw = Mapping[str, Any]


def map_fields(raw: Raw, jsonata: bool) -> tuple[type[State], dict[str, Any]]:
    """Everything but the processor."""
    config = (raw.get("ItemProcessor") or raw["Iterator"]).get("ProcessorConfig", {})
    item, parts = selector(raw, jsonata)
    distributed = config.get("Mode", "INLINE") == "DISTRIBUTED"
    kinds = (list, dict) if distributed else list
    fields = {
        "items": typed_expression(raw["Items"], "Items", "array", kinds)
        if "Items" in raw
        else finder(raw, "ItemsPath"),
        "item": item,
        "item_parts": parts,
        "concurrency": count(raw, "MaxConcurrency", jsonata),
        "tolerated_count": count(raw, "ToleratedFailureCount", jsonata),
        "tolerated_percentage": percentage(raw, "ToleratedFailurePercentage", jsonata),
        "distributed": distributed,
        "express": config.get("ExecutionType") == "EXPRESS",
        "label": raw.get("Label", ""),
        "reader": reader(raw["ItemReader"], jsonata) if "ItemReader" in raw else None,
        "writer": writer(raw["ResultWriter"], jsonata) if "ResultWriter" in raw else None,
        "batcher": batcher(raw["ItemBatcher"], jsonata) if "ItemBatcher" in raw else None,
    }
    return MapState, fields


def payload(raw: Raw, jsonata: bool, path: str) -> Evaluate | None:
    """Arguments or Parameters."""
    if jsonata:
        return expression(raw["Arguments"], f"{path}/Arguments") if "Arguments" in raw else None
    return template(raw["Parameters"])[0] if "Parameters" in raw else None


def selector(raw: Raw, jsonata: bool) -> tuple[Evaluate | None, int]:
    """ItemSelector, or Parameters as it was called before."""
    if jsonata:
        return (expression(raw["ItemSelector"], "ItemSelector"), 1000) if "ItemSelector" in raw else (None, 0)
    for field in ("ItemSelector", "Parameters"):
        if field in raw:
            return template(raw[field])
    return None, 0


def reader(raw: Raw, jsonata: bool) -> Reader:
    """ItemReader."""
    resource = read_resource(raw["Resource"])
    assert resource is not None
    config = dict(raw.get("ReaderConfig", {}))
    path = finder(config, "MaxItemsPath")
    most = expression(config["MaxItems"], "ItemReader/ReaderConfig/MaxItems") if "MaxItems" in config else path

    def configure(data: Any, env: Any) -> dict[str, Any]:
        found = {key: value for key, value in config.items() if key != "MaxItemsPath"}
        return found if most is None else {**found, "MaxItems": most(data, env)}

    return Reader(resource.kind, raw["Resource"], payload(raw, jsonata, "ItemReader") or constant({}), configure)


def writer(raw: Raw, jsonata: bool) -> Writer:
    """ResultWriter."""
    resource = read_resource(raw["Resource"]) if "Resource" in raw else None
    kind = "" if resource is None else resource.kind
    return Writer(kind, raw.get("Resource", ""), payload(raw, jsonata, "ResultWriter"), raw.get("WriterConfig", {}))


def batcher(raw: Raw, jsonata: bool) -> Batcher:
    """ItemBatcher."""
    shared: Evaluate | None = None
    if "BatchInput" in raw:
        given = raw["BatchInput"]
        shared = expression(given, "ItemBatcher/BatchInput") if jsonata else template(given)[0]
    return Batcher(number(raw, "MaxItemsPerBatch", jsonata), number(raw, "MaxInputBytesPerBatch", jsonata), shared)
