"""What a distributed Map's children gave, in the shapes that Step Functions writes: records, files, a manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cirrus.asl import data
from cirrus.asl.commands import WriteResults

FILES = {"SUCCEEDED": "SUCCEEDED_0", "FAILED": "FAILED_0"}


def transform(records: list[dict[str, Any]], how: str) -> list[Any]:
    """Records as they are (NONE), only what the children gave (COMPACT), or that flattened by one level (FLATTEN)."""
    if how == "NONE":
        return records
    given = [output_of(record) for record in records]
    if how == "COMPACT":
        return given
    return [item for one in given for item in (one if isinstance(one, list) else [one])]


def output_of(record: Mapping[str, Any]) -> Any:
    """What one child gave, or its error."""
    if record["Status"] == "SUCCEEDED":
        return json.loads(record["Output"])
    return {key: record[key] for key in ("Error", "Cause") if key in record}


def result_files(command: WriteResults) -> dict[str, str]:
    """Key → text of every file that a ResultWriter leaves, the manifest last."""
    prefix = command.parameters.get("Prefix", "").strip("/") if isinstance(command.parameters, dict) else ""
    bucket = command.parameters.get("Bucket", "") if isinstance(command.parameters, dict) else ""
    base = "/".join(part for part in (prefix, command.label.rpartition(":")[2]) if part)
    lines = command.config.get("OutputType") == "JSONL"
    files: dict[str, str] = {}
    manifest: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status, name in FILES.items():
        records = [record for record in command.results if record["Status"] == status]
        if not records:
            continue
        shaped = transform(records, command.config.get("Transformation", "NONE"))
        key = f"{base}/{name}.{'jsonl' if lines else 'json'}"
        files[key] = "\n".join(data.text(one) for one in shaped) if lines else data.text(shaped)
        manifest[status].append({"Key": key, "Size": len(files[key].encode())})
    files[f"{base}/manifest.json"] = data.text(
        {"DestinationBucket": bucket, "MapRunArn": command.label, "ResultFiles": manifest}
    )
    return files
