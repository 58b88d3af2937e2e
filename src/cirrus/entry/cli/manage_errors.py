"""`cirrus manage NAME errors`."""

from __future__ import annotations

from typing import Any

import click

from cirrus.core.instant import iso
from cirrus.core.jsontext import encode
from cirrus.entry.cli import output
from cirrus.entry.cli.filters import filters, meant
from cirrus.entry.cli.manage import Managed
from cirrus.flow.failures import FailureGroup

_LINES = 3


@click.command()
@filters
@click.option("--limit", type=click.IntRange(1), help="At most so many groups.")
@click.option("--format", "style", type=click.Choice(("text", "ndjson")), help="By default text on a terminal.")
@click.pass_obj
def errors(managed: Managed, /, limit: int | None, style: str | None, **given: Any) -> None:
    """What has failed, grouped by workflow, step and message, the most frequent first.

    Numbers, ids, paths and times are folded in messages. `query`, `get-payloads` and `rerun` take the fingerprint of a
    group as --fingerprint. On a terminal each group is some lines, in a pipe one line of JSON.
    """
    style = style or ("text" if output.on_terminal() else "ndjson")
    found = total = 0
    for group in managed.client().errors(limit, **meant(**given)):
        found, total = found + 1, total + group.failures.count
        if style == "ndjson":
            output.line(encode(group.to_json()))
        else:
            _print(group)
    output.say(f"{output.counted(total, 'failure')} of {output.counted(found, 'kind')}" if found else "no failures")


def _print(group: FailureGroup) -> None:
    one = group.failures
    where = f"{one.kind.workflow}, {one.kind.step}" if one.kind.step else one.kind.workflow
    click.echo(f"{group.fingerprint}  {one.count:>6}  {where}  {one.kind.message}")
    click.echo(f"    {iso(one.first)[:19]}Z to {iso(one.last)[:19]}Z, the last: {one.sample}")
    for line in group.log[-_LINES:]:
        click.echo(f"    | {line}")
