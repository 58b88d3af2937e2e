"""pre-batch: keeps a payload where a Batch job finds it, and says where the job's output goes."""

from __future__ import annotations

from typing import Any

from cirrus.deployed import Deployed
from cirrus.entry.lambdas.opened import deployed, named
from cirrus.flow.batch import pre_batch


def lambda_handler(event: Any, _context: Any) -> Any:
    """What Lambda calls."""
    return handle(deployed(), event)


def handle(where: Deployed, event: Any) -> Any:
    """{"url", "url_out"} for a payload; fails with InvalidInput where the event is none."""
    known = event.get("id") if isinstance(event, dict) else None
    if isinstance(event, dict) and known is None and "url" not in event:
        raise named("InvalidInput", "pre-batch takes a payload, or the URL of one")
    return pre_batch(where.home(), event, str(known or "oversized")).output
