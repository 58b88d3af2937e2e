"""`cirrus manage NAME events`."""

from __future__ import annotations

import sys
import time

import click

from cirrus.core.jsontext import encode
from cirrus.entry.cli import output
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.payload_ids import PayloadId

_PAUSE = 0.3


@click.command()
@click.option("--payload-id", type=PayloadId(), help="Only events about this payload.")
@click.option("--after", type=int, default=0, help="Only events after this number.")
@click.option("--follow", is_flag=True, help="Go on until interrupted.")
@click.pass_obj
def events(managed: Managed, payload_id: str | None, after: int, follow: bool) -> None:
    """The workflow events, oldest first, as NDJSON; `number` counts them, on AWS as text, since no JSON holds it.

    On AWS they are kept where the deployment says `keep_events = true`, and shown some seconds after they happened.
    """
    client = managed.client()
    while True:
        for number, event in client.events(payload_id, after):
            output.line(encode({"number": output.whole(number), **event.body()}))
            after = number
        if not follow:
            return
        sys.stdout.flush()
        time.sleep(_PAUSE)  # nothing tells of new rows: they are asked for
