"""What all functions share: the deployment in their environment, opened once, and lines of log."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cirrus
from cirrus.adapters.aws.declared import FILE
from cirrus.adapters.aws.outbox import DynamoOutbox
from cirrus.backends import backend
from cirrus.core.jsontext import decode, encode
from cirrus.deployed import Deployed
from cirrus.errors import CirrusError, StoreError
from cirrus.flow.deliver import deliver
from cirrus.flow.home import Home
from cirrus.variables import environment, read_variables

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@cache
def deployed() -> Deployed:
    """The deployment that this function belongs to; ConfigError names each variable that is missing."""
    where = Deployed(read_variables(environment(), "environment"), backend("clients", "aws")())
    return replace(where, declared=_declared(Path(cirrus.__file__).with_name(FILE)))


def _declared(file: Path) -> dict[str, Any]:
    """What `cirrus deploy` wrote of tasks that declare their parameters; nothing where none does."""
    found: dict[str, Any] = decode(file.read_bytes()) if file.is_file() else {}
    return found


def log(where: Deployed, level: str, action: str, **fields: Any) -> None:
    """One line of JSON with a stable `action`, if the deployment's level lets it through."""
    least = where.variables.log_level.upper()
    if least in _LEVELS and _LEVELS.index(level) < _LEVELS.index(least):
        return
    told = {"level": level, "action": action, **{name: value for name, value in fields.items() if value is not None}}
    sys.stdout.write(encode(told).decode() + "\n")


def send(where: Deployed, home: Home, owner: str) -> None:
    """Deliver what this call has decided. What cannot be sent now stays in the outbox, and fails nothing."""
    for target in sorted(fresh(home)):
        try:
            while target in fresh(home) and deliver(home, target, owner):
                pass
        except StoreError as error:
            log(where, "WARNING", "delivery.put-off", target=target, reason=str(error))
    try:
        outbox_of(home).flush()
    except StoreError as error:  # they are sent again by the sweeper
        log(where, "WARNING", "delivery.not-noted", reason=str(error))


def turn(where: Deployed, home: Home) -> int:
    """Queue again what waits for the limits that this call has made room in; gives how many were queued."""
    state_db, queue = home.state_db, home.queue
    freed: set[str] = getattr(state_db, "freed", set())
    try:
        return int(getattr(queue, "release_turns")(home.clock(), freed))  # noqa: B009 - the queue of this home has it
    except StoreError as error:  # the sweep does it
        log(where, "WARNING", "limits.put-off", reason=str(error))
        return 0


def outbox_of(home: Home) -> DynamoOutbox:
    """The outbox of a home on AWS, with what only that one can do."""
    assert isinstance(home.outbox, DynamoOutbox)
    return home.outbox


def fresh(home: Home) -> set[str]:
    """The targets for which this call has something to send."""
    return outbox_of(home).fresh() & home.targets.keys()


class Failure(CirrusError):
    """What a function fails with; Lambda reports the name of its class, which is `named`'s."""


def named(name: str, message: str) -> Exception:
    """An exception whose class has this name, as Step Functions is to see it."""
    kind: type[Exception] = type(name, (Failure,), {})
    return kind(message)
