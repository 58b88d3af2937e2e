"""Groups of commands: any unique prefix of a name works, and a command's module is imported when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands stand in `lazy`: name → ("module:attribute", short help)."""

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, tuple[str, str]] | None = None,
        aliases: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.lazy = dict(lazy or {})
        self.aliases = dict(aliases or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in the order of the table."""
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, an alias, or a unique prefix of either."""
        names = [*self.list_commands(ctx), *self.aliases]
        exact = (
            [cmd_name]
            if cmd_name in names
            else sorted({self.aliases.get(n, n) for n in names if n.startswith(cmd_name)})
        )
        if len(exact) > 1:
            ctx.fail(f"{cmd_name!r} is short for several commands: {', '.join(exact)}")
        if not exact:
            return None
        name = self.aliases.get(exact[0], exact[0])
        if name not in self.lazy:
            return super().get_command(ctx, name)
        module, _, attribute = self.lazy[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command with its full name, so that help and errors show it."""
        _, command, rest = super().resolve_command(ctx, args)
        return (command.name if command else None), command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, from the short helps: nothing is imported for it."""
        rows = [(name, help_text) for name, (_, help_text) in self.lazy.items()]
        rows += [(name, command.get_short_help_str()) for name, command in self.commands.items()]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
