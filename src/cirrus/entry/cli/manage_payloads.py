"""`cirrus manage NAME get-payloads`, `get-payload` and `get-output-payload`."""

from __future__ import annotations

from typing import Any

import click

from cirrus.core.jsontext import decode
from cirrus.entry.cli import output
from cirrus.entry.cli.filters import chosen, filter_options, raw_option
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.output import say
from cirrus.errors import NotFound
from cirrus.flow import query


@click.command("get-payloads")
@filter_options
@click.option("--rerun", is_flag=True, help="Set process[0].replace, so that the payloads run again.")
@click.pass_obj
def get_payloads(managed: Managed, /, limit: int | None, rerun: bool, **filters: Any) -> None:
    """The input payloads of every record that matches, as NDJSON."""
    home = managed.home()
    matched = False
    for record in query.records(home, chosen(home, **filters), limit):
        matched = True
        try:
            text = query.input_payload(home, record)
        except NotFound as error:
            say(f"left out: {error}")
            continue
        output.line(query.rerun_text(text) if rerun else text)
    if not matched:
        say("no record matches")


@click.command("get-payload")
@click.argument("payload_id")
@raw_option
@click.pass_obj
def get_payload(managed: Managed, payload_id: str, raw: bool) -> None:
    """The input payload of one record, as it was last claimed."""
    home = managed.home()
    output.document(decode(query.input_payload(home, query.record(home, payload_id))), raw=raw)


@click.command("get-output-payload")
@click.argument("payload_id")
@raw_option
@click.pass_obj
def get_output_payload(managed: Managed, payload_id: str, raw: bool) -> None:
    """The payload that the last execution of a record returned."""
    home = managed.home()
    output.document(decode(query.output_payload(home, query.record(home, payload_id))), raw=raw)
