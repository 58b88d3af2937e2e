"""Map states, inline and distributed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cirrus.asl.check_value import (
    check_expressions,
    check_number,
    check_path,
    check_template,
)
from cirrus.asl.fields import is_expression
from cirrus.asl.findings import Findings, kind_of
from cirrus.asl.items import DELIMITERS
from cirrus.asl.resource import read_resource

Raw = Mapping[str, Any]

DISTRIBUTED = (
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
)
TOLERATED = (
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
)
READER = (
    "InputType",
    "CSVHeaderLocation",
    "CSVHeaders",
    "CSVDelimiter",
    "MaxItems",
    "MaxItemsPath",
    "ItemsPointer",
    "ManifestType",
    "Transformation",
)
CHOICES = {
    "InputType": ("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"),
    "CSVHeaderLocation": ("FIRST_ROW", "GIVEN"),
    "CSVDelimiter": tuple(DELIMITERS),
    "ManifestType": ("ATHENA_DATA", "S3_INVENTORY"),
    "Transformation": ("NONE", "LOAD_AND_FLATTEN"),
}
WRITER = {"OutputType": ("JSON", "JSONL"), "Transformation": ("NONE", "COMPACT", "FLATTEN")}
LABEL = re.compile(r"[^\s?*<>{}\[\]:;,\\|^~$#%&`\"/\x00-\x1f\x7f-\x9f]{1,40}")
COUNT = (0, 2**31 - 1)


def check_map(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """A Map state; its processor is checked as a scope of its own."""
    check_number(raw, "MaxConcurrency", COUNT, jsonata, pointer, findings)
    check_number(raw, "ToleratedFailureCount", COUNT, jsonata, pointer, findings)
    check_number(raw, "ToleratedFailurePercentage", (0, 100), jsonata, pointer, findings, whole=False)
    distributed = check_processor(raw, pointer, findings)
    check_items(raw, jsonata, distributed, pointer, findings)
    if not distributed:
        for field in DISTRIBUTED:
            if field in raw:
                findings.error(f"{pointer}/{field}", f"{field} is only supported in a Map of the mode DISTRIBUTED")
        for field in TOLERATED:
            if field in raw:
                findings.warn(f"{pointer}/{field}", f"{field} has no effect in a Map of the mode INLINE", "NO_EFFECT")
        return
    if "Label" in raw and not (isinstance(raw["Label"], str) and LABEL.fullmatch(raw["Label"])):
        findings.error(f"{pointer}/Label", "Label must have 1 to 40 characters, without spaces and special characters")
    for field, check in (("ItemReader", check_reader), ("ItemBatcher", check_batcher), ("ResultWriter", check_writer)):
        if field in raw:
            where = f"{pointer}/{field}"
            if isinstance(raw[field], dict):
                check(raw[field], jsonata, where, findings)
            else:
                findings.error(where, f"{field} must be an object, not {kind_of(raw[field])}")


def check_items(raw: Raw, jsonata: bool, distributed: bool, pointer: str, findings: Findings) -> None:
    """Where the items come from and what an iteration gets."""
    check_path(raw, "ItemsPath", pointer, findings, reference=True)
    findings.exclusive(raw, ("ItemSelector", "Parameters"), pointer)
    if "ItemReader" in raw:
        findings.exclusive(raw, ("ItemReader", "Items"), pointer)
    if "Items" in raw:
        kinds, words = ((list, dict), "an array, an object") if distributed else (list, "an array")
        if not isinstance(raw["Items"], kinds) and not is_expression(raw["Items"]):
            findings.error(f"{pointer}/Items", f"Items must be {words} or a JSONata expression")
        check_expressions(raw["Items"], f"{pointer}/Items", findings)
    if "ItemSelector" in raw:
        where = f"{pointer}/ItemSelector"
        if jsonata:
            check_expressions(raw["ItemSelector"], where, findings)
        else:
            check_template(raw["ItemSelector"], where, findings)


def check_processor(raw: Raw, pointer: str, findings: Findings) -> bool:
    """Whether the Map is distributed."""
    given = [field for field in ("ItemProcessor", "Iterator") if field in raw]
    if len(given) != 1:
        problem = "Only one of these fields may be given" if given else "One of these fields is required"
        findings.error(pointer, f"{problem}: [ItemProcessor, Iterator]")
        return False
    processor, where = raw[given[0]], f"{pointer}/{given[0]}"
    if not isinstance(processor, dict):
        findings.error(where, f"{given[0]} must be an object, not {kind_of(processor)}")
        return False
    return check_config(processor.get("ProcessorConfig", {}), f"{where}/ProcessorConfig", findings)


def check_config(config: Any, pointer: str, findings: Findings) -> bool:
    """Whether a ProcessorConfig says DISTRIBUTED."""
    if not isinstance(config, dict):
        findings.error(pointer, f"ProcessorConfig must be an object, not {kind_of(config)}")
        return False
    findings.known(config, ("Mode", "ExecutionType"), pointer, "ProcessorConfig")
    mode = config.get("Mode", "INLINE")
    if mode not in ("INLINE", "DISTRIBUTED"):
        findings.error(f"{pointer}/Mode", "Mode must be 'INLINE' or 'DISTRIBUTED'")
    if mode != "DISTRIBUTED":
        if "ExecutionType" in config:
            findings.error(f"{pointer}/ExecutionType", "ExecutionType is only supported in the mode DISTRIBUTED")
        return False
    if findings.machine_type == "EXPRESS":
        findings.error(f"{pointer}/Mode", "Express state machine does not support Map of the mode DISTRIBUTED")
    given = findings.required(config, ("ExecutionType",), pointer)
    if given and config["ExecutionType"] not in ("STANDARD", "EXPRESS"):
        findings.error(f"{pointer}/ExecutionType", "ExecutionType must be 'STANDARD' or 'EXPRESS'")
    return True


def check_payload(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """Arguments or Parameters."""
    if jsonata:
        check_expressions(raw.get("Arguments"), f"{pointer}/Arguments", findings)
    elif "Parameters" in raw:
        check_template(raw["Parameters"], f"{pointer}/Parameters", findings)


def check_store(raw: Raw, actions: tuple[str, ...], pointer: str, findings: Findings) -> None:
    """The resource of a reader or writer."""
    text = raw["Resource"]
    resource = read_resource(text) if isinstance(text, str) else None
    if resource is None or resource.kind not in actions:
        expected = " or ".join(f"arn:aws:states:::{action}" for action in actions)
        findings.error(f"{pointer}/Resource", f"Resource must be {expected}")


def check_reader(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """ItemReader."""
    payload = "Arguments" if jsonata else "Parameters"
    findings.known(raw, ("Resource", "ReaderConfig", payload, "Bucket"), pointer, "ItemReader")
    if findings.required(raw, ("Resource",), pointer):
        check_store(raw, ("s3:getObject", "s3:listObjectsV2"), pointer, findings)
    check_payload(raw, jsonata, pointer, findings)
    config, where = raw.get("ReaderConfig", {}), f"{pointer}/ReaderConfig"
    if not isinstance(config, dict):
        findings.error(where, f"ReaderConfig must be an object, not {kind_of(config)}")
        return
    findings.known(config, READER, where, "ReaderConfig")
    check_options(config, CHOICES, where, findings)
    check_input_type(raw, config, where, findings)
    if config.get("CSVHeaderLocation") == "GIVEN":
        findings.required(config, ("CSVHeaders",), where)
    headers = config.get("CSVHeaders", [])
    if not isinstance(headers, list) or not all(isinstance(name, str) for name in headers):
        findings.error(f"{where}/CSVHeaders", "CSVHeaders must be an array of strings")
    check_number(config, "MaxItems", (0, 100_000_000), jsonata, where, findings)


def check_input_type(raw: Raw, config: Raw, pointer: str, findings: Findings) -> None:
    """Which files need an InputType, which may have none, and which the engine cannot read."""
    inventory = config.get("ManifestType") == "S3_INVENTORY"
    if inventory and config.get("InputType") not in (None, "MANIFEST"):
        findings.error(f"{pointer}/InputType", "An S3_INVENTORY has no InputType: its files are CSV")
    flat = config.get("Transformation") == "LOAD_AND_FLATTEN"
    if (flat or str(raw.get("Resource")).endswith(":getObject")) and not inventory:
        findings.required(config, ("InputType",), pointer)
    if config.get("InputType") == "PARQUET":
        findings.unsupported(f"{pointer}/InputType", "files of the InputType PARQUET are read")


def check_options(config: Raw, options: Mapping[str, tuple[str, ...]], pointer: str, findings: Findings) -> None:
    """Fields that hold one of a few words."""
    for field, allowed in options.items():
        if field in config and config[field] not in allowed:
            findings.error(f"{pointer}/{field}", f"{field} must be one of [{', '.join(allowed)}]")


def check_batcher(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """ItemBatcher."""
    limits = ("MaxItemsPerBatch", "MaxInputBytesPerBatch")
    paths = () if jsonata else tuple(f"{field}Path" for field in limits)
    findings.known(raw, (*limits, *paths, "BatchInput"), pointer, "ItemBatcher")
    if not raw.keys() & {*limits, *paths}:
        findings.error(pointer, f"One of these fields is required: [{', '.join(limits)}]")
    for field in limits:
        check_number(raw, field, (1, 2**31 - 1), jsonata, pointer, findings)
    if "BatchInput" in raw:
        if jsonata:
            check_expressions(raw["BatchInput"], f"{pointer}/BatchInput", findings)
        else:
            check_template(raw["BatchInput"], f"{pointer}/BatchInput", findings)


def check_writer(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """ResultWriter."""
    payload = "Arguments" if jsonata else "Parameters"
    findings.known(raw, ("Resource", "WriterConfig", payload), pointer, "ResultWriter")
    if "Resource" in raw:
        check_store(raw, ("s3:putObject",), pointer, findings)
        findings.required(raw, (payload,), pointer)
    elif "WriterConfig" not in raw:
        findings.error(pointer, "One of these fields is required: [Resource, WriterConfig]")
    check_payload(raw, jsonata, pointer, findings)
    config, where = raw.get("WriterConfig", {}), f"{pointer}/WriterConfig"
    if not isinstance(config, dict):
        findings.error(where, f"WriterConfig must be an object, not {kind_of(config)}")
        return
    findings.known(config, tuple(WRITER), where, "WriterConfig")
    check_options(config, WRITER, where, findings)
