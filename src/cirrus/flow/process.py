"""Process: turn queued messages into claimed executions: decode, validate, decide, claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cirrus.core.decide import Action, decide
from cirrus.core.event import EventType, WorkflowEvent
from cirrus.core.execution_id import next_execution_id
from cirrus.core.instant import SECOND
from cirrus.core.keys import input_key
from cirrus.core.payload import CONTINUE_FROM, Payload
from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.errors import CirrusError, InvalidDefinition, NotFound, StoreError
from cirrus.flow.fence import refused
from cirrus.flow.home import Home
from cirrus.flow.once import for_batch
from cirrus.flow.redrive import asks, resumable
from cirrus.flow.submit import check, read, refuse
from cirrus.ports.queue import Taken
from cirrus.ports.state_db import Claim, Start, item_refs

_BACKOFF = 5 * SECOND
_BEGINS = (EventType.CLAIMED_PROCESSING, EventType.STARTED_PROCESSING)


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Begun:
    """An execution that is ours to run; `fault` says why it cannot be started, `receipt` is the message's.

    `redrive` is how often it goes on at the step that failed, with this time, where an engine elsewhere does that.
    `claimed` is when somebody else claimed it, who may have died before he told of that. One that is `fresh` does not
    continue another, as is known from its input.
    """

    execution_id: str
    payload_id: str
    workflow: str
    input: bytes
    definition: bytes
    fault: CirrusError | None = None
    receipt: str | None = None
    redrive: int = 0
    claimed: int | None = None
    fresh: bool = False


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class _Claimed:
    """A claim to make, and what begins if it is granted."""

    claim: Claim
    begun: Begun
    payload: Payload


def process(home: Home, messages: Sequence[Taken], owner: str | None, now: int) -> list[Begun]:
    """Deal with every message: claim and begin, skip with an event, put off, or quarantine.

    One whose payload id was not known goes back to wait where it belongs, if there are limits or pauses to heed.
    Without an `owner` what is claimed stays `CLAIMED`: an engine elsewhere is yet to start it.
    """
    if not messages:
        return []
    home = for_batch(home)
    accepted: dict[str, tuple[Taken, Payload]] = {}
    for message, payload in _unheld(home, messages, now):
        key = str(payload.id)
        if key in accepted:
            home.state_db.note([WorkflowEvent(EventType.DUPLICATE_ID_ENCOUNTERED, key, now)], [message.receipt])
        else:
            accepted[key] = (message, payload)
    records = home.state_db.get(list(accepted))
    earlier = home.state_db.earlier(list(accepted))
    claims: list[_Claimed] = []
    found: list[Begun] = []
    for key, pair in accepted.items():
        decided = _decide(home, *pair, records.get(key), earlier.get(key, ()), owner, now)
        if isinstance(decided, _Claimed):
            claims.append(decided)
        elif decided is not None:
            found.append(decided)
    found += _claim(home, claims, now)
    if home.throttle and found:
        home.queue.spend([one.payload_id for one in found], home.throttle, now)
    return found


def _unheld(home: Home, messages: Sequence[Taken], now: int) -> list[tuple[Taken, Payload]]:
    """The messages that are payloads and may begin; the others are quarantined, put off, or wait where they belong."""
    found = [(one, payload) for one in messages if (payload := _payload(home, one, now)) is not None]
    late = {one.receipt: str(payload.id) for one, payload in found if not one.known}
    if not late or not (home.throttle or home.queue.pauses()):
        return found
    free = home.queue.sort(late)
    return [pair for pair in found if pair[0].receipt not in late or pair[0].receipt in free]


def _payload(home: Home, message: Taken, now: int) -> Payload | None:
    try:
        payload = read(home, message.body, queued=True)
        if home.engine is not None:  # where messages also come from others than `submit`
            check(home, payload)
        return payload
    except (CirrusError, ValueError) as error:
        _refuse(home, message, error, now)
    return None


def _refuse(home: Home, message: Taken, error: Exception, now: int) -> None:
    """Put a message in quarantine, or put it off where that may help."""
    if isinstance(error, StoreError) and message.attempts < home.limits.message_attempts:
        home.queue.release([message.receipt], now + _BACKOFF * 2**message.attempts)
    else:
        home.queue.quarantine([refuse(home, message.body, error, now, message.receipt)])


def _decide(
    home: Home,
    message: Taken,
    payload: Payload,
    record: Record | None,
    earlier: Sequence[str],
    owner: str | None,
    now: int,
) -> Begun | _Claimed | None:
    decision = decide(record, replace=payload.replace, now=now, lease=home.limits.lease)
    if record is not None and record.state is not State.CLAIMED and _was_claimed_for(message, record):
        _tell_again(home, message, payload, record)
        return None
    if decision.action is Action.SKIP:
        assert record is not None
        assert decision.event is not None
        if decision.event is EventType.ALREADY_CLAIMED and (message.attempts > 1 or _was_claimed_for(message, record)):
            _put_off(home, message, record)
            return None
        _skip(home, message, payload, record, decision.event, now)
        return None
    if decision.action is Action.RESUME:
        assert record is not None
        return _resume(home, message, payload, record, owner, now)
    if record is not None and message.after not in {None, record.run}:
        _skip(home, message, payload, record, EventType.DUPLICATE_ID_ENCOUNTERED, now)
        return None
    if asks(home, payload):
        try:
            return _go_on(home, message, payload, record, now)
        except CirrusError as error:
            _refuse(home, message, error, now)
            return None
    return _wish(home, message, payload, record, earlier, owner, now)


def _was_claimed_for(message: Taken, record: Record) -> bool:
    """Whether a message that comes again is the one whose claim this is.

    Whoever claimed for it has died before whoever gave it knew that, and maybe before the claim was told of.
    """
    return message.again and record.claimed_for == message.receipt


def _tell_again(home: Home, message: Taken, payload: Payload, record: Record) -> None:
    """Tell of the claim and the start once more, and begin nothing."""
    at = record.claimed_at or record.updated
    home.state_db.note(_events(home, _BEGINS, payload, record.execution_id, at), [message.receipt])


def _put_off(home: Home, message: Taken, record: Record) -> None:
    """A message that comes back may be the one whose claim this is: it resumes it once the lease has ended."""
    claimed = record.updated if record.claimed_at is None else record.claimed_at
    home.queue.release([message.receipt], claimed + home.limits.lease)


def _events(
    home: Home, kinds: Sequence[EventType], payload: Payload, execution_id: str | None, now: int
) -> tuple[WorkflowEvent, ...]:
    """Events about one payload at one moment, and its execution if it has one."""
    known = str(payload.id)
    url = None if execution_id is None else home.payloads.url(input_key(home.root, known, execution_id))
    arn = None if execution_id is None else home.arns.shown(payload.workflow, execution_id)
    return tuple([WorkflowEvent(kind, known, now, url, None, arn) for kind in kinds])


def _skip(home: Home, message: Taken, payload: Payload, record: Record, kind: EventType, now: int) -> None:
    home.state_db.note(_events(home, [kind], payload, record.execution_id, now), [message.receipt])


def _claim(home: Home, claims: Sequence[_Claimed], now: int) -> list[Begun]:
    """The executions whose claims were granted; others were claimed just then by someone else, or must wait."""
    granted = home.state_db.claim([one.claim for one in claims])
    lost = [one for one, ours in zip(claims, granted, strict=True) if ours is False]
    if lost:
        kinds = [EventType.ALREADY_CLAIMED]
        events = [event for one in lost for event in _events(home, kinds, one.payload, None, now)]
        home.state_db.note(events, [one.claim.receipt for one in lost if one.claim.receipt])
    return [one.begun for one, ours in zip(claims, granted, strict=True) if ours]


def _wish(
    home: Home,
    message: Taken,
    payload: Payload,
    record: Record | None,
    earlier: Sequence[str],
    owner: str | None,
    now: int,
) -> _Claimed:
    known = str(payload.id)
    execution_id = next_execution_id(known, (*earlier, *(record.executions if record else ())))
    begun = _begun(home, execution_id, payload, payload.text, message.receipt)
    starts = owner is not None and begun.fault is None
    claim = Claim(
        payload_id=known,
        execution_id=execution_id,
        previous=record,
        at=now,
        input=payload.text,
        definition=begun.definition,
        events=_events(home, _BEGINS if starts else _BEGINS[:1], payload, execution_id, now),
        receipt=message.receipt,
        owner=owner,
        items=item_refs(payload.document.get("features", ())),
        priority=message.priority,
    )
    return _Claimed(claim, begun, payload)


def _go_on(home: Home, message: Taken, payload: Payload, record: Record | None, now: int) -> _Claimed:
    """The claim of an execution elsewhere that goes on; InvalidPayload if it cannot."""
    found, known = resumable(home, payload, record), str(payload.id)
    number = found.redrives + 1
    claim = Claim(
        payload_id=known,
        execution_id=found.execution_id,
        previous=record,
        at=now,
        input=found.input,
        events=_events(home, [EventType.CLAIMED_PROCESSING], payload, found.execution_id, now),
        receipt=message.receipt,
        redrive=number,
    )
    begun = Begun(found.execution_id, known, payload.workflow, found.input, b"", None, message.receipt, number)
    return _Claimed(claim, begun, payload)


def _resume(home: Home, message: Taken, payload: Payload, record: Record, owner: str | None, now: int) -> Begun | None:
    execution_id = record.execution_id
    if owner is None and execution_id is not None:
        text = kept_input(home, str(payload.id), execution_id, payload.text)
        begun = _begun(home, execution_id, payload, text, message.receipt)
        begun.redrive, begun.claimed = record.redrives, record.claimed_at or record.updated
        return begun
    kept = home.state_db.execution(execution_id) if execution_id else None
    if execution_id is None or kept is None:
        raise StoreError(f"{record.payload_id} is claimed, but its execution {execution_id} cannot be found")
    started = _events(home, [EventType.STARTED_PROCESSING], payload, execution_id, now)
    granted = home.state_db.start([Start(record.payload_id, execution_id, now, started, owner)])
    late = [] if granted == [True] else [refused(record.payload_id, execution_id, "its start", now)]
    home.state_db.note(late, [message.receipt])
    if late:
        return None
    begun = _begun(home, execution_id, payload, kept.input)
    return (
        begun
        if not kept.definition
        else Begun(execution_id, begun.payload_id, begun.workflow, kept.input, kept.definition)
    )


def kept_input(home: Home, payload_id: str, execution_id: str, otherwise: bytes) -> bytes:
    """The payload as it was claimed; where its claim could not keep it any more, this one, which is kept now."""
    key = input_key(home.root, payload_id, execution_id)
    try:
        return home.payloads.get(home.payloads.url(key))
    except NotFound:
        home.payloads.put(key, otherwise)
        return otherwise


def _begun(home: Home, execution_id: str, payload: Payload, text: bytes, receipt: str | None = None) -> Begun:
    known, workflow = str(payload.id), payload.workflow
    fresh = text is payload.text and CONTINUE_FROM not in payload.document["process"][0]
    try:
        definition = home.workflows.definition(workflow)
        return Begun(execution_id, known, workflow, text, definition, None, receipt, fresh=fresh)
    except (NotFound, InvalidDefinition) as error:
        return Begun(execution_id, known, workflow, text, b"", error, receipt)
