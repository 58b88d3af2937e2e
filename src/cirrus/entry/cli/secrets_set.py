"""`cirrus secrets set`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from cirrus.entry.cli import output
from cirrus.errors import InvalidPayload


@click.command("set")
@click.argument("bucket")
@click.pass_obj
def set_(project: Path, bucket: str) -> None:
    """Keep the credentials of BUCKET where `secret` of its table says, in place of what stands there.

    They are read from stdin, as a JSON object with aws_access_key_id, aws_secret_access_key and, if need be,
    aws_session_token, region_name, endpoint_url, requester_pays. On a terminal they are asked for and not shown.
    """
    from cirrus.client import Client

    client = Client(project=project)
    client.vault.declared(bucket)
    kept = client.set_secret(bucket, _asked() if sys.stdin.isatty() else _read())
    output.say(f"the credentials of {bucket} are kept in {kept}")


def _read() -> dict[str, Any]:
    from cirrus.core.jsontext import decode

    try:
        keys = decode(sys.stdin.buffer.read())
    except InvalidPayload:
        keys = None
    if not isinstance(keys, dict) or not keys:
        raise InvalidPayload("stdin: a JSON object of keys such as aws_access_key_id is expected")
    return keys


def _asked() -> dict[str, Any]:
    keys = {
        "aws_access_key_id": click.prompt("Access key ID", err=True),
        "aws_secret_access_key": click.prompt("Secret access key", hide_input=True, err=True),
        "aws_session_token": click.prompt("Session token", hide_input=True, default="", show_default=False, err=True),
    }
    return {name: value.strip() for name, value in keys.items() if value.strip()}
