"""One state: the fields that its type has in its query language, and what may stand in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cirrus.asl.check_choice import check_choices
from cirrus.asl.check_errors import check_catch, check_retry
from cirrus.asl.check_map import check_map
from cirrus.asl.check_task import check_task
from cirrus.asl.check_value import (
    LITERAL_PATH,
    check_assign,
    check_expression,
    check_expressions,
    check_number,
    check_path,
    check_place,
    check_template,
)
from cirrus.asl.clock import read_time
from cirrus.asl.findings import Findings, kind_of

Raw = Mapping[str, Any]

COMMON = ("Type", "Comment", "QueryLanguage")
STEP = ("Next", "End")
PATHS = ("InputPath", "OutputPath")
RESULT = ("ResultSelector", "ResultPath", "Parameters")
ERRORS = ("Retry", "Catch")
MAP = ("ItemProcessor", "Iterator", "ItemSelector", "MaxConcurrency", "ItemReader", "ItemBatcher", "ResultWriter")
TOLERATED = ("ToleratedFailureCount", "ToleratedFailurePercentage", "Label")

FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "Task": (
        ("Resource", "Credentials", "TimeoutSeconds", "HeartbeatSeconds", "Assign", *STEP, *ERRORS),
        (*PATHS, *RESULT, "TimeoutSecondsPath", "HeartbeatSecondsPath"),
        ("Arguments", "Output"),
    ),
    "Pass": (("Assign", *STEP), (*PATHS, "Parameters", "Result", "ResultPath"), ("Output",)),
    "Choice": (("Choices", "Default", "Assign"), PATHS, ("Output",)),
    "Wait": (
        ("Seconds", "Timestamp", "Assign", *STEP),
        (*PATHS, "SecondsPath", "TimestampPath"),
        ("Output",),
    ),
    "Succeed": ((), PATHS, ("Output",)),
    "Fail": (("Error", "Cause"), ("ErrorPath", "CausePath"), ()),
    "Parallel": (("Branches", "Assign", *STEP, *ERRORS), (*PATHS, *RESULT), ("Arguments", "Output")),
    "Map": (
        (*MAP, *TOLERATED, "Assign", *STEP, *ERRORS),
        (
            *PATHS,
            *RESULT,
            "ItemsPath",
            "MaxConcurrencyPath",
            "ToleratedFailureCountPath",
            "ToleratedFailurePercentagePath",
        ),
        ("Items", "Output"),
    ),
}
"""Type → (fields of both languages, of JSONPath, of JSONata)."""

ENDLESS = ("Choice", "Succeed", "Fail")
SECONDS = (0, 99_999_999)


def check_state(name: str, raw: Raw, pointer: str, language: str, findings: Findings) -> None:
    """Everything about a state but where it leads."""
    jsonata = check_language(raw, pointer, language, findings)
    kind = raw["Type"]
    both, paths, expressions = FIELDS[kind]
    allowed = (*COMMON, *both, *(expressions if jsonata else paths))
    words = f"a {kind} state of the query language {'JSONata' if jsonata else 'JSONPath'}"
    findings.known(raw, allowed, pointer, words)
    if not isinstance(raw.get("Comment", ""), str):
        findings.error(f"{pointer}/Comment", "Comment must be a string")
    raw = {field: value for field, value in raw.items() if field in allowed}
    check_step(raw, pointer, findings)
    check_data(raw, jsonata, pointer, findings)
    check_retry(raw, pointer, findings)
    check_catch(raw, jsonata, pointer, findings)
    own = CHECKS.get(kind)
    if own is not None:
        own(raw, jsonata, pointer, findings)


def check_language(raw: Raw, pointer: str, language: str, findings: Findings) -> bool:
    """Whether the state is JSONata."""
    own = raw.get("QueryLanguage", language)
    if own not in ("JSONPath", "JSONata"):
        findings.error(f"{pointer}/QueryLanguage", "QueryLanguage must be 'JSONPath' or 'JSONata'")
        return language == "JSONata"
    if language == "JSONata" and own == "JSONPath":
        findings.error(pointer, "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine")
    return bool(own == "JSONata")


def check_step(raw: Raw, pointer: str, findings: Findings) -> None:
    """Next or End, and not both."""
    if raw["Type"] in ENDLESS:
        return
    if not isinstance(raw.get("Next", ""), str):
        findings.error(f"{pointer}/Next", f"Next must be a string, not {kind_of(raw['Next'])}")
    if not isinstance(raw.get("End", True), bool):
        findings.error(f"{pointer}/End", f"End must be a boolean, not {kind_of(raw['End'])}")
    if "Next" in raw and raw.get("End") is True:
        findings.error(pointer, "Only one of these fields may be given: [Next, End]")
    elif "Next" not in raw and raw.get("End") is not True:
        findings.error(pointer, "One of these fields is required: [Next, End]")


def check_data(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """The fields that shape input, output and variables."""
    check_assign(raw, jsonata, pointer, findings)
    if jsonata:
        for field in ("Arguments", "Output"):
            if field in raw:
                check_expressions(raw[field], f"{pointer}/{field}", findings)
        return
    for field in PATHS:
        check_path(raw, field, pointer, findings, null=True)
    check_place(raw, pointer, findings)
    for field in ("Parameters", "ResultSelector"):
        if field in raw:
            any_value = field == "Parameters" and raw["Type"] == "Pass"
            check_template(raw[field], f"{pointer}/{field}", findings, objects=not any_value)


def check_pass(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """A Pass state's Result is taken as it is."""
    if isinstance(raw.get("Result"), dict) and any(key.endswith(".$") for key in raw["Result"]):
        findings.warn(
            f"{pointer}/Result", "Result is taken as it is; paths in it are texts (use Parameters)", "LITERAL_PATH"
        )


def check_wait(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """A Wait state says once how long."""
    ways = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")
    if not any(way in raw for way in ways):
        shown = ("Seconds", "Timestamp") if jsonata else ways
        findings.error(pointer, f"One of these fields is required: [{', '.join(shown)}]")
    findings.exclusive(raw, ways, pointer)
    numbers = {key: value for key, value in raw.items() if key != "SecondsPath"}
    check_number(numbers, "Seconds", SECONDS, jsonata, pointer, findings)
    for field in ("SecondsPath", "TimestampPath"):
        check_path(raw, field, pointer, findings, reference=True)
    if "Timestamp" not in raw:
        return
    value, where = raw["Timestamp"], f"{pointer}/Timestamp"
    if jsonata and isinstance(value, str) and value.startswith("{%"):
        check_expression(value, where, findings)
    elif read_time(value) is None:
        findings.error(where, "String does not match RFC3339 timestamp")


def check_fail(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """A Fail state's texts."""
    for field in ("Error", "Cause"):
        findings.exclusive(raw, (field, f"{field}Path"), pointer)
        check_path(raw, f"{field}Path", pointer, findings, reference=True, call=True)
        if field not in raw:
            continue
        value, where = raw[field], f"{pointer}/{field}"
        if not isinstance(value, str):
            findings.error(where, f"{field} must be a string, not {kind_of(value)}")
        elif jsonata:
            check_expressions(value, where, findings)
        elif LITERAL_PATH.fullmatch(value):
            findings.warn(
                where, f"'{value}' is a text here; use {field}Path to say what the path finds", "LITERAL_PATH"
            )


def check_parallel(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """A Parallel state has branches; each is checked as a scope of its own."""
    if not findings.required(raw, ("Branches",), pointer):
        return
    branches = raw["Branches"]
    if not isinstance(branches, list) or not branches:
        findings.error(f"{pointer}/Branches", "Branches must be an array that holds at least one branch")
        return
    for at, branch in enumerate(branches):
        if not isinstance(branch, dict):
            findings.error(f"{pointer}/Branches/{at}", f"A branch must be an object, not {kind_of(branch)}")


CHECKS: dict[str, Callable[[Raw, bool, str, Findings], None]] = {
    "Task": check_task,
    "Pass": check_pass,
    "Choice": check_choices,
    "Wait": check_wait,
    "Fail": check_fail,
    "Parallel": check_parallel,
    "Map": check_map,
}
