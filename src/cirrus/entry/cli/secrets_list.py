"""`cirrus secrets list`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cirrus.entry.cli import output

if TYPE_CHECKING:
    from cirrus.core.bucket import Bucket


@click.command("list")
@click.pass_obj
def list_(project: Path) -> None:
    """The buckets that the project declares: where the secret of each is, whether it is there, which tasks may use it.

    On a terminal a table, else NDJSON. The secrets are read, and not shown.
    """
    from cirrus.client import Client
    from cirrus.core.jsontext import encode

    rows = [
        {**described(one.bucket), "status": one.status, "tasks": list(one.tasks)}
        for one in Client(project=project).buckets()
    ]
    if not rows:
        output.say("no bucket is declared: a table [buckets.NAME] in cirrus.toml declares one")
    elif output.on_terminal():
        output.table(("BUCKET", "SECRET", "STATUS", "TASKS"), [_cells(row) for row in rows])
    else:
        for row in rows:
            output.line(encode(row))


def described(bucket: Bucket) -> dict[str, Any]:
    """A bucket as its declaration says, without what it does not say."""
    said = {
        "endpoint": bucket.endpoint,
        "region": bucket.region,
        "requester_pays": bucket.requester_pays or None,
        "anonymous": bucket.anonymous or None,
        "path_style": bucket.path_style,
        "secret": str(bucket.secret) if bucket.secret else None,
    }
    return {"bucket": bucket.name, **{name: value for name, value in said.items() if value is not None}}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return row["bucket"], row.get("secret", "-"), row["status"], ", ".join(row["tasks"]) or "-"
