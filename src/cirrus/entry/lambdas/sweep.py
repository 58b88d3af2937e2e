"""sweep: runs by a schedule, takes over what was dropped, and sends what waits in the outbox."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cirrus.core.instant import SECOND
from cirrus.deployed import Deployed
from cirrus.entry.lambdas.opened import deployed, log, send
from cirrus.errors import StoreError
from cirrus.flow.deliver import deliver
from cirrus.flow.sweep import sweep

_INTERVAL = 60
_ROUNDS = 20


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """What Lambda calls; the event may say `interval`, the seconds between two calls."""
    asked = event.get("interval", _INTERVAL) if isinstance(event, dict) else _INTERVAL
    return handle(deployed(), int(asked), str(getattr(context, "aws_request_id", "sweep")))


def handle(where: Deployed, interval: int, owner: str) -> dict[str, Any]:
    """Sweep once; gives what was done."""
    home = where.home()
    swept = sweep(home, home.clock(), interval * SECOND)
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
    level = "WARNING" if swept.troubled else "INFO"
    log(where, level, "sweep.done", **asdict(swept), sent=sent)
    return {**asdict(swept), "sent": sent}
