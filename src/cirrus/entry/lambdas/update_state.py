"""update-state: ends of executions in, from EventBridge or by way of SQS; records, events, Items and chains out.

An event that cannot be dealt with now is told to SQS as failed, or raises; one about nothing of ours is left alone.
"""

from __future__ import annotations

from typing import Any

from cirrus.core.jsontext import decode
from cirrus.deployed import Deployed
from cirrus.entry.lambdas.opened import deployed, log, send, turn
from cirrus.errors import CirrusError, InvalidPayload, StoreError
from cirrus.flow.ended import Told, asked_again, ended, told
from cirrus.flow.home import Home
from cirrus.ports.state_db import Conclusion

_DIRECT = ""
End = tuple[Told, Conclusion]


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """What Lambda calls."""
    return handle(deployed(), event, str(getattr(context, "aws_request_id", "update-state")))


def handle(where: Deployed, event: Any, owner: str) -> dict[str, Any]:
    """Write down every end; gives the items that SQS is to give again, and how many ends were written."""
    home = where.home()
    failed: dict[str, str] = {}
    ends: dict[str, End] = {}
    for item, one in _events(event).items():
        try:
            end = _end(where, home, one)
        except StoreError as error:
            failed[item] = str(error)
        else:
            ends |= {item: end} if end is not None else {}
    written = _conclude(where, home, ends, failed)
    send(where, home, owner)
    turns = turn(where, home) or None
    log(where, "INFO", "update-state.done", ends=len(ends), written=written, turns=turns)
    if _DIRECT in failed:
        raise StoreError(failed[_DIRECT])
    return {"batchItemFailures": [{"itemIdentifier": item} for item in failed], "written": written}


def _events(event: Any) -> dict[str, Any]:
    """Events by the id of their message; one that came directly has none."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        return {_DIRECT: event}
    return {str(record["messageId"]): record["body"] for record in records}


def _end(where: Deployed, home: Home, one: Any) -> End | None:
    try:
        event = decode(one) if isinstance(one, str) else one
        said = told(event)
        end = None if said is None else ended(home, said, home.clock())
        return None if said is None or end is None else (said, end)
    except StoreError:
        raise
    except (CirrusError, AttributeError, TypeError) as error:  # such an event will never be another
        log(where, "ERROR", "update-state.unreadable", reason=str(error), event=str(one)[:1000])
        return None


def _conclude(where: Deployed, home: Home, ends: dict[str, End], failed: dict[str, str]) -> int:
    """Write all ends in as few calls as it takes; if that fails, each by itself, so that one holds up no other."""
    try:
        granted = home.state_db.conclude([end for _, end in ends.values()])
    except (StoreError, InvalidPayload) as error:
        if len(ends) == 1:
            failed |= dict.fromkeys(ends, str(error))
            return 0
        return sum(_conclude(where, home, {item: end}, failed) for item, end in ends.items())
    written = sum(granted)
    for (item, pair), done in zip(ends.items(), granted, strict=True):
        try:
            written += not done and _again(where, home, *pair)
        except StoreError as error:
            failed[item] = str(error)
    return written


def _again(where: Deployed, home: Home, said: Told, end: Conclusion) -> bool:
    """Whether a refused end is that of an execution which had gone on, and which the engine tells of now."""
    later = asked_again(home, said, end, home.clock())
    if later is not None and home.state_db.conclude([later]) == [True]:
        return True
    log(where, "INFO", "end.refused", payload_id=end.payload_id, execution=end.execution_id)
    return False
