"""`cirrus manage NAME items`: the output Items of records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cirrus.entry.cli import output
from cirrus.entry.cli.filters import filter_options, meant, raw_option
from cirrus.entry.cli.group import LazyGroup
from cirrus.entry.cli.manage import Managed

if TYPE_CHECKING:
    from cirrus.flow.home import Home
    from cirrus.flow.items import OutputItem

FIRST = ("thumbnail", "overview", "preview", "rendered_preview", "visual")


class Listing(LazyGroup):
    """A group that lists where no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As given, with `list` in front of mere options."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def which_item(command: Any) -> Any:
    """Adds what names one Item."""
    options = (
        click.argument("item_id"),
        click.option("--collection", help="The Item's collection, where several have one of this id."),
        click.option("--payload-id", help="The payload that made it."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(cls=Listing)
def items() -> None:
    """The output Items of records: list them, or show, validate or open one.

    Without a command they are listed.
    """


@items.command("list")
@filter_options
@click.pass_obj
def list_items(managed: Managed, /, limit: int | None, **filters: Any) -> None:
    """The Items that the records that match have made: a table on a terminal, NDJSON in a pipe.

    --limit counts records.
    """
    from cirrus.core.jsontext import encode

    found = (one.to_json() for one in managed.client().items(limit, **meant(**filters)))
    if output.on_terminal():
        output.table(("ID", "COLLECTION", "DATETIME", "BBOX", "HREF"), map(_row, found))
        return
    for one in found:
        output.line(encode(one))


def _row(told: dict[str, Any]) -> tuple[str, ...]:
    box = ", ".join(f"{number:.4g}" for number in told.get("bbox") or ())
    return (told["id"], *(str(told.get(name) or "") for name in ("collection", "datetime")), box, told.get("href", ""))


@items.command()
@which_item
@raw_option
@click.pass_obj
def show(managed: Managed, item_id: str, collection: str | None, payload_id: str | None, raw: bool) -> None:
    """One Item, as the workflow that made it last returned it."""
    found = managed.client().item(item_id, collection=collection, payload_id=payload_id)
    output.document(found.item, raw=raw)


@items.command()
@click.argument("item_ids", nargs=-1, metavar="[ITEM_ID]...")
@filter_options
@click.option(
    "--schemas",
    type=click.Path(exists=True, path_type=Path),
    help="More schemas: a folder of files that have an $id, or one JSON file, by URL.",
)
@click.pass_context
def validate(
    ctx: click.Context, /, item_ids: tuple[str, ...], limit: int | None, schemas: Path | None, **filters: Any
) -> None:
    """Check Items against STAC and its extensions, without a network: those named, or those of records that match.

    Prints one line for each. An extension whose schema is not at hand is named in `not_checked`, and is no failure.
    The exit code is 1 if any Item is invalid.
    """
    from cirrus.core.jsontext import encode
    from cirrus.tasks.validation import check_item

    client = ctx.obj.client()
    more = _schemas(schemas) if schemas else {}
    named: Iterator[OutputItem] = (client.item(one) for one in item_ids)
    wrong = number = 0
    for found in named if item_ids else client.items(limit, **meant(**filters)):
        checked = check_item(found.item, more)
        number += 1
        wrong += bool(checked.problems)
        told = {"id": found.id, "collection": found.item.get("collection"), "valid": not checked.problems}
        lists = {"problems": list(checked.problems), "not_checked": list(checked.not_checked)}
        output.line(encode(told | {name: lines for name, lines in lists.items() if lines}))
    output.say(f"{number} Items, {wrong} invalid")
    ctx.exit(1 if wrong else 0)


def _schemas(path: Path) -> dict[str, Any]:
    """Schemas by URL."""
    import orjson

    found: dict[str, Any] = {}
    for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
        try:
            document = orjson.loads(file.read_bytes())
        except orjson.JSONDecodeError as error:
            raise click.BadParameter(f"{file} is not JSON: {error}", param_hint="--schemas") from None
        if not isinstance(document, dict):
            raise click.BadParameter(f"{file}: an object is expected", param_hint="--schemas")
        if "$id" in document:
            found[str(document["$id"]).rstrip("#")] = document
        elif not path.is_dir():
            found |= document
    return found


@items.command("open")
@which_item
@click.option("--asset", help="The Asset to open; by default a thumbnail, an overview or a preview.")
@click.pass_obj
def open_item(
    managed: Managed, item_id: str, collection: str | None, payload_id: str | None, asset: str | None
) -> None:
    """Show a picture of an Item in the terminal; where that cannot be done, its path or URL."""
    from cirrus.errors import NotFound
    from cirrus.flow.catalog_check import place
    from cirrus.flow.items import assets

    client = managed.client()
    found = client.item(item_id, collection=collection, payload_id=payload_id)
    known = assets(found.item)
    name = asset or _pictured(known)
    if name is None or name not in known:
        what = asset or "thumbnail, overview or preview"
        raise NotFound("Asset", what, f"Item {found.id} has: {', '.join(known) or 'none'}")
    href = place(known[name], found.href)
    if href is None:
        raise NotFound("place of Asset", name, f"its href is {known[name].get('href')!r}")
    if not (output.on_terminal() and _drawn(client.home, href)):
        click.echo(href)


def _pictured(assets: dict[str, Any]) -> str | None:
    """The Asset to look at: by its role, else by its key."""
    for wanted in FIRST:
        for name, asset in assets.items():
            if wanted in (asset.get("roles") or ()) or name == wanted:
                return name
    return None


def _drawn(home: Home, href: str) -> bool:
    """Draw the picture at a place; whether that could be done."""
    from cirrus.entry.cli.picture import draw

    return draw(home.objects.get(href))
