"""Records as rows of the state table: the attributes of existing deployments, read in both vocabularies.

A row's keys are `collections_workflow` and `itemids`; one that would pass DynamoDB's limits is cut, and the row holds
the full id. Executions stand as ARNs; a Record holds their ids. Three attributes are ours: `execution` and `runs`, the
last ARN and how many there are, fence writes without reading first; `claim_token` tells whose claim was granted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cirrus.core.execution_id import Arns, from_arn
from cirrus.core.failure_kind import FailureKind
from cirrus.core.instant import from_iso, iso
from cirrus.core.payload_id import PayloadId, parse
from cirrus.core.record import Record
from cirrus.core.state import State

Row = dict[str, Any]
DELETED = "DELETED_"
LAYOUT = 2  # of payloads, of which a row says that it needs no migration
GOOD = ("COMPLETED", "SUCCEEDED")
_HASH_LIMIT = 2048
_RANGE_LIMIT = 1024
_KEPT = 800
_OUTPUT_BYTES = 100_000


class Vocabulary(Protocol):
    """Who knows the word for a good end that a table holds."""

    @property
    def good(self) -> str:
        """`COMPLETED` (v1 and ours) or `SUCCEEDED` (v2)."""


@dataclass(frozen=True, slots=True)
class Said:
    """The word that somebody has said."""

    good: str = GOOD[0]


def word_of(vocabulary: Vocabulary, state: State) -> str:
    """How a state is written."""
    return vocabulary.good if state is State.COMPLETED else str(state)


def words(state: State) -> tuple[str, ...]:
    """Every way in which a state may stand in a table."""
    return GOOD if state is State.COMPLETED else (str(state),)


def cut(text: str, limit: int) -> str:
    """A key as it is; past `limit` bytes its first 800 (cut at a character), `~`, and the SHA-256 of the whole."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    return f"{raw[:_KEPT].decode(errors='ignore')}~{hashlib.sha256(raw).hexdigest()}"


def group_key(collections_workflow: str) -> str:
    """The first key of a group."""
    return cut(collections_workflow, _HASH_LIMIT)


def key(payload_id: str) -> Row:
    """The key of a payload's row."""
    parts = parse(payload_id)
    return {"collections_workflow": text(group_key(parts.collections_workflow)), "itemids": text(_range(parts))}


def _range(parts: PayloadId) -> str:
    return cut(parts.itemids, _RANGE_LIMIT)


def text(value: str) -> Row:
    """A string as DynamoDB takes it."""
    return {"S": value}


def texts(values: Iterable[str]) -> Row:
    """A list of strings as DynamoDB takes it."""
    return {"L": [text(value) for value in values]}


def number(value: int) -> Row:
    """A number as DynamoDB takes it."""
    return {"N": str(value)}


def full_id(payload_id: str) -> str | None:
    """The id where the row's keys do not hold it."""
    parts = parse(payload_id)
    kept = (group_key(parts.collections_workflow), _range(parts))
    return None if kept == (parts.collections_workflow, parts.itemids) else payload_id


def payload_id_of(row: Mapping[str, Any]) -> str:
    """The payload id of a row, or of its keys where they hold it whole."""
    if "payload_id" in row:
        return str(row["payload_id"]["S"])
    collections, _, workflow = row["collections_workflow"]["S"].rpartition("_")
    return str(PayloadId(collections, workflow, row["itemids"]["S"]))


def alive(row: Mapping[str, Any]) -> bool:
    """Whether a row is a record, and not the tombstone of a deleted one."""
    return not str(row["state_updated"]["S"]).startswith(DELETED)


def record(row: Mapping[str, Any]) -> Record:
    """The record of a row; ValueError where it is none."""
    word, _, stamp = row["state_updated"]["S"].partition("_")
    updated = row.get("updated", {}).get("S") or stamp
    claimed = row.get("claimed_at", {}).get("S")
    return Record(
        payload_id=payload_id_of(row),
        state=State.parse(word),
        created=from_iso(row.get("created", {}).get("S") or updated),
        updated=from_iso(updated),
        claimed_at=from_iso(claimed) if claimed else None,
        executions=tuple(from_arn(arn) for arn in arns(row)),
        last_error=row.get("last_error", {}).get("S"),
        outputs=tuple(listed(row, "outputs")),
        output_collections=tuple(listed(row, "output_collections")),
        fingerprint=row.get("fingerprint", {}).get("S"),
        redrives=redrives(row),
        claimed_for=row.get("claimed_for", {}).get("S"),
    )


def redriven(arn: str, number_: int) -> Row:
    """How a row says how often an execution has gone on, and which."""
    return {"L": [text(arn), number(number_)]}


def redrives(row: Mapping[str, Any]) -> int:
    """How often the current execution of a row has gone on; what is said of an earlier one does not count."""
    said = row.get("redriven", {}).get("L")
    return int(said[1]["N"]) if said and arns(row)[-1:] == [said[0]["S"]] else 0


def arns(row: Mapping[str, Any]) -> list[str]:
    """The ARNs of a row's executions, oldest first."""
    return listed(row, "executions")


def listed(row: Mapping[str, Any], name: str) -> list[str]:
    """The strings of a list attribute."""
    return [value["S"] for value in row.get(name, {}).get("L", []) if "S" in value]


def state_updated(vocabulary: Vocabulary, state: State, at: int) -> Row:
    """The sort key that makes 'state X since T' a range."""
    return text(f"{word_of(vocabulary, state)}_{iso(at)}")


def kind(row: Mapping[str, Any]) -> FailureKind:
    """The kind of a row's failure."""
    workflow, step, message = listed(row, "failure")
    return FailureKind(workflow, step, message)


def fresh(
    payload_id: str,
    state: Row,
    at: int,
    arn: str,
    token: str,
    priority: int = 0,
    claimed_for: str | None = None,
    slots: Sequence[str] = (),
) -> Row:
    """The row of a payload that is claimed for the first time."""
    row = {
        **key(payload_id),
        "created": text(iso(at)),
        "updated": text(iso(at)),
        "claimed_at": text(iso(at)),
        "state_updated": state,
        "executions": texts([arn]),
        "execution": text(arn),
        "runs": number(1),
        "claim_token": text(token),
        "layout": number(LAYOUT),
    }
    if priority:
        row["priority"] = number(priority)
    if claimed_for:
        row["claimed_for"] = text(claimed_for)
    if slots:
        row["slots"] = texts(slots)
    known = full_id(payload_id)
    return row if known is None else {**row, "payload_id": text(known)}


def bounded(outputs: Sequence[str]) -> list[str]:
    """As many of the output URLs as a row may hold; all of them stand in the output payload."""
    kept: list[str] = []
    room = _OUTPUT_BYTES
    for url in outputs:
        room -= len(url.encode()) + 4
        if room < 0:
            break
        kept.append(url)
    return kept


def arn_of(names: Arns, payload_id: str, execution_id: str) -> str:
    """The ARN of a payload's execution."""
    return names.execution(parse(payload_id).workflow, execution_id)
