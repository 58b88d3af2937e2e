"""`cirrus manage NAME rerun` and `campaign`: run records again, as a campaign."""

from __future__ import annotations

import time
from typing import Any

import click

from cirrus.core.campaign import MOVES, Options
from cirrus.core.instant import iso
from cirrus.core.jsontext import decode, encode
from cirrus.entry.cli import output
from cirrus.entry.cli.filters import filter_options, meant, raw_option
from cirrus.entry.cli.group import LazyGroup
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.priority import priority_option
from cirrus.errors import InvalidPayload
from cirrus.flow.campaign import Report

STILL_FAILING = 10
_PAUSE = 0.3
_PAUSE_ON_AWS = 3.0


@click.command()
@filter_options
@click.option("--dry-run", is_flag=True, help="Show how many records there are, some of them, and what would change.")
@click.option(
    "--set", "given", multiple=True, metavar="TASK.NAME=VALUE", help="Set a task's parameter (JSON, or text)."
)
@click.option("--canary", type=click.IntRange(1), help="Run so many first; stop if one of them does not come good.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Queue at most so many a second.")
@click.option("--max-running", type=click.IntRange(1), help="Have at most so many under way at once.")
@priority_option
@click.option(
    "--from-failed-step",
    is_flag=True,
    help="Take over the outputs of steps that had finished; on AWS the same execution goes on.",
)
@click.option("--name", help="A name for the campaign; by default its time.")
@click.option("--wait", is_flag=True, help="Follow it to its end. The exit code is 10 if some still fail.")
@raw_option
@click.pass_context
def rerun(
    ctx: click.Context,
    /,
    limit: int | None,
    dry_run: bool,
    given: tuple[str, ...],
    canary: int | None,
    rate: float | None,
    max_running: int | None,
    priority: int,
    from_failed_step: bool,
    name: str | None,
    wait: bool,
    raw: bool,
    **filters: Any,
) -> None:
    """Run the records that match again, as a campaign: by default those that FAILED.

    The selection is frozen now. `cirrus up`, on AWS the sweep, queues its members bit by bit, and `campaign show` tells
    how far it has come. Only records that have ended are taken.
    """
    managed: Managed = ctx.obj
    client = managed.client()
    options = Options(_parameters(given), canary or 0, rate, max_running, from_failed_step, priority)
    chosen = meant(**filters)
    chosen["state"] = chosen.get("state") or ("FAILED",)
    if dry_run:
        output.document(client.preview_rerun(options, **chosen).to_json(), raw=raw)
        return
    if next(client.query(limit=1, **chosen), None) is None:
        output.say("no record matches: nothing is rerun")
        return
    about = " ".join(f"--{key.replace('_', '-')} {_shown(value)}" for key, value in chosen.items() if value)
    begun = client.rerun(options, name=name, about=about, limit=limit, **chosen)
    total = output.counted(begun.campaign.total, "record")
    on_aws = client.deployment.home == "aws"
    worker = "the sweep does the work, minute by minute" if on_aws else f"`cirrus up {managed.name}` does the work"
    output.say(f"campaign {begun.campaign.name}: {total}; {worker}")
    if wait:
        begun = _followed(managed, begun)
    output.document(begun.to_json(), raw=raw)
    ctx.exit(STILL_FAILING if wait and begun.good < begun.campaign.total else 0)


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _parameters(given: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Parameters by task and name."""
    tasks: dict[str, dict[str, Any]] = {}
    for text in given:
        path, equals, shown = text.partition("=")
        task, dot, name = path.partition(".")
        if not (equals and dot and task and name):
            raise click.UsageError(f"--set {text}: TASK.NAME=VALUE is expected, such as convert-to-cog.blocksize=256")
        try:
            value = decode(shown)
        except InvalidPayload:
            value = shown
        tasks.setdefault(task, {})[name] = value
    return tasks


def _followed(managed: Managed, report: Report) -> Report:
    client, name, said = managed.client(), report.campaign.name, ""
    while not report.over:
        # nothing tells how far it is: it is asked, on AWS more seldom, for there it costs
        time.sleep(_PAUSE_ON_AWS if client.deployment.home == "aws" else _PAUSE)
        report = client.campaign(name)
        told = ", ".join(f"{number} {what}" for what, number in report.counts.items())
        if told != said:
            output.say(told)
        said = told
    return report


@click.group(cls=LazyGroup)
def campaign() -> None:
    """Reruns as campaigns: how far they have come; pause, resume or cancel them."""


@campaign.command("list")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@click.pass_obj
def list_campaigns(managed: Managed, limit: int) -> None:
    """The campaigns, newest first: a table on a terminal, NDJSON in a pipe."""
    found = managed.client().campaigns(limit)
    if output.on_terminal():
        rows = [(one.name, str(one.state), iso(one.created)[:19] + "Z", one.total, one.about) for one in found]
        output.table(("CAMPAIGN", "STATE", "CREATED", "TOTAL", "SELECTION"), rows)
        return
    for one in found:
        told = {"campaign": one.name, "state": str(one.state), "created": iso(one.created), "total": one.total}
        output.line(encode(told | {"selection": one.about} | ({"reason": one.reason} if one.reason else {})))


@campaign.command()
@click.argument("name")
@raw_option
@click.pass_obj
def show(managed: Managed, name: str, raw: bool) -> None:
    """How many came good, what still fails, grouped as by `errors`, and what is still to come."""
    output.document(managed.client().campaign(name).to_json(), raw=raw)


def _mover(how: str, help_text: str) -> click.Command:
    @click.argument("name")
    @raw_option
    @click.pass_obj
    def act(managed: Managed, name: str, raw: bool) -> None:
        output.document(managed.client().move_campaign(name, how).to_json(), raw=raw)

    return click.command(how, help=help_text)(act)


_HELP = {
    "pause": "Queue no more of its members; those that are queued or run go on.",
    "resume": "Go on with a campaign that was paused, or that its canaries stopped.",
    "cancel": "End it: members that were not queued yet are left as they are.",
}
for _how in MOVES:
    campaign.add_command(_mover(_how, _HELP[_how]))
