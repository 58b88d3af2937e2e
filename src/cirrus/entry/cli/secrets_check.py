"""`cirrus secrets check`."""

from __future__ import annotations

from pathlib import Path

import click

from cirrus.entry.cli import output
from cirrus.entry.cli.filters import raw_option


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
    from cirrus.client import Client
    from cirrus.entry.cli.secrets_list import described

    client = Client(project=project)
    done = client.check_bucket(bucket, key=key, write=write, prefix=prefix)
    output.document({**described(client.vault.declared(bucket)), **done}, raw=raw)
