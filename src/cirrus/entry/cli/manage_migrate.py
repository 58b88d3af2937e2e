"""`cirrus manage NAME migrate`."""

from __future__ import annotations

from collections import Counter

import click

from cirrus.entry.cli import output
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.progress import Progress


@click.command()
@click.option("--apply", "applied", is_flag=True, help="Write; without it only what would be done is shown.")
@click.option("--dry-run", "dry", is_flag=True, hidden=True)  # the original's: without --apply nothing is written
@click.option(
    "--vocabulary",
    type=click.Choice(["COMPLETED", "SUCCEEDED"]),
    help="Let rows say this word of a good end; by default each keeps its own, and both are read.",
)
@click.pass_context
def migrate(ctx: click.Context, applied: bool, dry: bool, vocabulary: str | None) -> None:
    """Bring the records and payloads of an older deployment on AWS up to date.

    Payloads of version 1 are copied to where they stand today; outputs come from the history of Step Functions, which
    keeps them for 90 days. Nothing is deleted, and what runs is left alone. It may be broken off and run again: what is
    up to date is not looked at twice. A line for each record that was, or would be, changed; the exit code is 1 if any
    could not be.
    """
    if dry and applied:
        raise click.UsageError("--dry-run and --apply exclude each other")
    from cirrus.app import open_migration
    from cirrus.core.jsontext import encode

    managed: Managed = ctx.obj
    migration = open_migration(managed.settings()[1], good=vocabulary)
    counts: Counter[str] = Counter()
    progress = Progress()
    for one in migration.run(dry=not applied):
        counts[one.result] += 1
        progress.step()
        if one.result == "up to date":
            continue
        told = {"payload_id": one.payload_id, "result": one.result if applied else _would(one.result)}
        told |= {"done": list(one.done)} if one.done else {}
        told |= {"missing": list(one.missing)} if one.missing else {}
        told |= {"reason": one.reason} if one.reason else {}
        progress.clear()
        output.line(encode(told))
    progress.clear()
    summary = ", ".join(f"{number:,} {name if applied else _would(name)}" for name, number in counts.most_common())
    output.say(summary or "there are no records")
    if counts["migrated"] and not applied:
        output.say("nothing was written: run it again with --apply")
    if applied and vocabulary and counts["migrated"]:
        output.say(f"set CIRRUS_VOCABULARY = {vocabulary} in the deployment's parameters and functions")
    ctx.exit(1 if counts["failed"] else 0)


def _would(result: str) -> str:
    return "to be migrated" if result == "migrated" else result
