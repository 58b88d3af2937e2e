"""sweep: runs by a schedule, takes over what was dropped, sends what waits in the outbox, and feeds campaigns.

As long as a campaign runs, or payloads wait for a limit, it stays and looks again every few seconds, until the next
sweep is near.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from cirrus.core.instant import SECOND
from cirrus.core.lease import Lease
from cirrus.deployed import Deployed
from cirrus.entry.lambdas.opened import deployed, log, outbox_of, send
from cirrus.errors import StoreError
from cirrus.flow.campaign import feed
from cirrus.flow.deliver import deliver
from cirrus.flow.home import Home
from cirrus.flow.sweep import sweep

_INTERVAL = 60
_SPARE = 10
_RESUMED = 20_000
_PAUSE = 2.0
_HOLD = 60 * SECOND
_CAMPAIGNS = "campaigns"
_ROUNDS = 20


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """What Lambda calls; the event may say `interval`, the seconds between two calls."""
    asked = int(event.get("interval", _INTERVAL) if isinstance(event, dict) else _INTERVAL)
    feeding = asked - _SPARE if asked > _SPARE else 0
    return handle(deployed(), asked, str(getattr(context, "aws_request_id", "sweep")), feeding)


def handle(where: Deployed, interval: int, owner: str, feeding: float = 0) -> dict[str, Any]:
    """Sweep once, then feed campaigns for so many seconds, or once; gives what was done."""
    began = time.monotonic()
    home = where.home()
    swept = sweep(home, home.clock(), interval * SECOND)
    queue: Any = home.queue
    resumed = queue.release_held(_RESUMED)
    counted = _limits(where, home)
    send(where, home, owner)
    sent = dict.fromkeys(home.targets, 0)
    for target in home.targets if where.variables.outbox_table else ():
        try:
            for _ in range(_ROUNDS):
                number = deliver(home, target, owner)
                sent[target] += number
                if not number:
                    break
        except StoreError as error:
            log(where, "WARNING", "delivery.put-off", target=target, reason=str(error))
    fed = _feed(where, home, owner, began + feeding)
    level = "WARNING" if swept.troubled else "INFO"
    turns = _turns(where, home, began + feeding)
    done = {**asdict(swept), "sent": sent, "resumed": resumed, "fed": fed, "counted": counted, "turns": turns}
    log(where, level, "sweep.done", **done)
    return done


def _limits(where: Deployed, home: Home) -> int:
    """Let limits hold for what runs; gives how many counts were changed."""
    state_db: Any = home.state_db
    try:
        return int(state_db.keep_limits(home.clock()))
    except StoreError as error:
        log(where, "WARNING", "limits.put-off", reason=str(error))
        return 0


def _turns(where: Deployed, home: Home, until: float) -> int:
    """Queue again what waits for limits as they have room, as long as this call may take; gives how many."""
    queue: Any = home.queue
    done = 0
    try:
        while queue.waits_for_limits():
            done += queue.release_turns(home.clock())
            if time.monotonic() + _PAUSE > until:
                break
            time.sleep(_PAUSE)  # rates have room again as time passes
    except StoreError as error:
        log(where, "WARNING", "limits.put-off", reason=str(error))
    return done


def _feed(where: Deployed, home: Home, owner: str, until: float) -> int:
    """Feed campaigns, one sweep at a time; gives how many members were queued."""
    fed = 0
    outbox = outbox_of(home)
    try:
        while home.campaigns.active():
            now = home.clock()
            if not outbox.hold(_CAMPAIGNS, owner, Lease(now, now + _HOLD)):
                break
            fed += feed(home, now)
            send(where, home, owner)
            if time.monotonic() + _PAUSE > until:
                outbox.let_go(_CAMPAIGNS, owner)
                break
            time.sleep(_PAUSE)  # a campaign is fed at its rate for as long as this call may take
    except StoreError as error:
        log(where, "WARNING", "campaigns.put-off", reason=str(error))
    return fed
