"""`cirrus secrets check`."""

from __future__ import annotations

from pathlib import Path

import click

from cirrus.entry.cli import output
from cirrus.entry.cli.filters import raw_option
from cirrus.errors import NotFound


@click.command()
@click.argument("bucket")
@click.option("--key", help="Read this object, where the credentials may not list the bucket.")
@click.option("--write", is_flag=True, help="Write a small object too, read it, and remove it again.")
@click.option("--prefix", default="", help="List or write below this prefix alone.")
@raw_option
@click.pass_obj
def check(project: Path, bucket: str, key: str | None, write: bool, prefix: str, raw: bool) -> None:
    """Open BUCKET with its credentials and read from it, with `--write` also write to it.

    Exit code 4 if the store refuses, 3 if the secret is not there, 2 if it is no use.
    """
    from cirrus.app import open_project, open_trial, open_vault
    from cirrus.entry.cli.secrets_list import described

    vault = open_vault(open_project(project))
    if bucket not in vault.buckets:
        raise NotFound("bucket", bucket, f"declared are: {', '.join(sorted(vault.buckets)) or 'none'}")
    trial = open_trial(vault, bucket)
    done = {"read": trial.read(key) if key else trial.list(prefix)}
    if write:
        done["write"] = trial.write(prefix)
    output.document({**described(vault.buckets[bucket]), **done}, raw=raw)
