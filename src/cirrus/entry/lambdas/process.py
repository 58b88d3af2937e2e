"""process: payloads from SQS, SNS or a direct call in; executions started, or the reason why not told.

Answers SQS with the messages that failed; what came in another way and failed raises, so that its caller tries again.
"""

from __future__ import annotations

from typing import Any

from cirrus.deployed import Deployed
from cirrus.entry.lambdas.opened import deployed, log, send, turn
from cirrus.errors import StoreError
from cirrus.flow.process import process
from cirrus.flow.start import start


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """What Lambda calls."""
    return handle(deployed(), event, str(getattr(context, "aws_request_id", "process")))


def handle(where: Deployed, event: Any, owner: str) -> dict[str, Any]:
    """Deal with every payload of an event; gives the items that SQS is to give again, and how many executions run."""
    home = where.home(event=event, call=owner)
    queue: Any = home.queue
    now, started = home.clock(), 0
    try:
        begun = process(home, queue.given, None, now)
        started = start(home, begun, now)
    except StoreError as error:  # what was not dealt with is reported as failed, and comes again
        log(where, "ERROR", "process.put-off", reason=str(error))
    send(where, home, owner)
    turn(where, home)
    log(where, "INFO", "process.done", messages=len(queue.given), started=started, waiting=queue.waiting or None)
    return {**queue.answer(), "started": started}
