"""`cirrus manage NAME get-payloads`, `get-payload` and `get-output-payload`."""

from __future__ import annotations

from typing import Any

import click

from cirrus.entry.cli import output
from cirrus.entry.cli.filters import filter_options, meant, raw_option
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.output import say
from cirrus.entry.cli.payload_ids import PayloadId


@click.command("get-payloads")
@filter_options
@click.option("--rerun", is_flag=True, help="Set process[0].replace, so that the payloads run again.")
@click.pass_obj
def get_payloads(managed: Managed, /, limit: int | None, rerun: bool, **given: Any) -> None:
    """The input payloads of every record that matches, as NDJSON."""
    matched = False
    for found in managed.client().input_texts(rerun=rerun, limit=limit, **meant(**given)):
        matched = True
        if isinstance(found, bytes):
            output.line(found)
        else:
            say(f"left out: {found}")
    if not matched:
        say("no record matches")


@click.command("get-payload")
@click.argument("payload_id", type=PayloadId())
@raw_option
@click.pass_obj
def get_payload(managed: Managed, payload_id: str, raw: bool) -> None:
    """The input payload of one record, as it was last claimed."""
    output.document(managed.client().input_payload(payload_id), raw=raw)


@click.command("get-output-payload")
@click.argument("payload_id", type=PayloadId())
@raw_option
@click.pass_obj
def get_output_payload(managed: Managed, payload_id: str, raw: bool) -> None:
    """The payload that the last execution of a record returned."""
    output.document(managed.client().output_payload(payload_id), raw=raw)
