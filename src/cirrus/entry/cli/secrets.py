"""`cirrus secrets`: the declared buckets, where their credentials are kept, and whether these open them."""

from __future__ import annotations

import click

from cirrus.entry.cli.group import LazyGroup

_HERE = "cirrus.entry.cli.secrets_"
COMMANDS = {
    "list": (f"{_HERE}list:list_", "The declared buckets, and whether their secrets are there."),
    "set": (f"{_HERE}set:set_", "Keep the credentials of a bucket where it says."),
    "check": (f"{_HERE}check:check", "Read from a bucket, or write to it, with its credentials."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def secrets() -> None:
    """Where credentials of buckets are kept, and whether they work; no command shows one."""
