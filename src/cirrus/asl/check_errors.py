"""Retry and Catch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cirrus.asl import failure
from cirrus.asl.check_value import check_assign, check_expressions, check_place, is_whole
from cirrus.asl.findings import Findings, kind_of
from cirrus.asl.retry import FATAL

Raw = Mapping[str, Any]

RETRY = (
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
    "Comment",
)
CATCH = ("ErrorEquals", "Next", "Comment", "Assign")
LONGEST_DELAY = 31_622_400


def check_retry(raw: Raw, pointer: str, findings: Findings) -> None:
    """The retriers of a state."""
    for where, entry in entries(raw, "Retry", pointer, findings):
        findings.known(entry, RETRY, where, "a retrier")
        interval = entry.get("IntervalSeconds", 1)
        if not is_whole(interval, 1, 99_999_999):
            findings.error(f"{where}/IntervalSeconds", "IntervalSeconds must be a whole number between 1 and 99999999")
        if not is_whole(entry.get("MaxAttempts", 3), 0, 99_999_999):
            findings.error(f"{where}/MaxAttempts", "MaxAttempts must be a whole number between 0 and 99999999")
        rate = entry.get("BackoffRate", 2.0)
        if isinstance(rate, bool) or not isinstance(rate, int | float) or rate < 1:
            findings.error(f"{where}/BackoffRate", "BackoffRate must be a number of 1.0 or more")
        check_delay(entry, interval, where, findings)
        if entry.get("JitterStrategy", "NONE") not in ("FULL", "NONE"):
            findings.error(f"{where}/JitterStrategy", "JitterStrategy must be 'FULL' or 'NONE'")


def check_delay(entry: Raw, interval: Any, where: str, findings: Findings) -> None:
    """The longest delay is longer than the first."""
    if "MaxDelaySeconds" not in entry:
        return
    longest = entry["MaxDelaySeconds"]
    if not is_whole(longest, 1, LONGEST_DELAY):
        findings.error(
            f"{where}/MaxDelaySeconds", f"MaxDelaySeconds must be a whole number between 1 and {LONGEST_DELAY}"
        )
    elif isinstance(interval, int | float) and longest <= interval:
        findings.error(f"{where}/MaxDelaySeconds", "MaxDelaySeconds must be greater than IntervalSeconds")


def check_catch(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """The catchers of a state."""
    for where, entry in entries(raw, "Catch", pointer, findings):
        findings.known(entry, (*CATCH, "Output" if jsonata else "ResultPath"), where, "a catcher")
        if findings.required(entry, ("Next",), where) and not isinstance(entry["Next"], str):
            findings.error(f"{where}/Next", f"Next must be a string, not {kind_of(entry['Next'])}")
        check_assign(entry, jsonata, where, findings)
        if jsonata:
            check_expressions(entry.get("Output"), f"{where}/Output", findings)
        else:
            check_place(entry, where, findings)
        if not entry.keys() & {"ResultPath", "Output", "Assign"}:
            way = "Output" if jsonata else 'ResultPath, such as "$.error",'
            findings.warn(where, f"The error takes the place of the state's input; {way} would keep it", "INPUT_LOST")


def entries(raw: Raw, field: str, pointer: str, findings: Findings) -> list[tuple[str, Raw]]:
    """The entries that are objects with errors to match, each with its pointer."""
    if field not in raw:
        return []
    given = raw[field]
    if not isinstance(given, list):
        findings.error(f"{pointer}/{field}", f"{field} must be an array, not {kind_of(given)}")
        return []
    found: list[tuple[str, Raw]] = []
    for at, entry in enumerate(given):
        where = f"{pointer}/{field}/{at}"
        if not isinstance(entry, dict):
            findings.error(where, f"An entry of {field} must be an object, not {kind_of(entry)}")
            continue
        check_names(entry, where, at == len(given) - 1, findings)
        found.append((where, entry))
    return found


def check_names(entry: Raw, where: str, last: bool, findings: Findings) -> None:
    """ErrorEquals: names, States.ALL alone and at the end."""
    if not findings.required(entry, ("ErrorEquals",), where):
        return
    names, place = entry["ErrorEquals"], f"{where}/ErrorEquals"
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        findings.error(place, "ErrorEquals must be an array that holds at least one string")
        return
    if failure.ALL in names:
        if len(names) > 1:
            findings.error(place, "'States.ALL' must be alone in ErrorEquals")
        if not last:
            findings.error(place, "'States.ALL' must be in the last entry")
    for name in names:
        if name.startswith("States.") and name not in failure.RESERVED:
            findings.warn(place, f"'{name}' is no error that Step Functions knows", "UNKNOWN_ERROR")
        elif name in FATAL:
            findings.warn(place, f"'{name}' always ends the execution; nothing matches it", "UNKNOWN_ERROR")
