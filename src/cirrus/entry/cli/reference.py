"""`python -m cirrus.entry.cli.reference FOLDER`: fill the generated blocks of the documentation.

A page says where: everything between the lines `<!-- generated: NAME -->` and `<!-- end -->` is written here, from the
tables and commands that the program itself obeys. The rest of a page is written by hand and left alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from cirrus.core import definition
from cirrus.core.event import MEANINGS, EventType
from cirrus.core.jsontext import encode_pretty
from cirrus.core.payload_schema import payload_schema
from cirrus.core.state import TRANSITIONS, State
from cirrus.drawing.graph import CATCH, RULE, Box, Scope, Way
from cirrus.drawing.svg import draw_svg
from cirrus.entry.cli import main
from cirrus.settings import SECTIONS
from cirrus.settings.schema import project_schema
from cirrus.settings.values import Setting

_BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_LITERAL = re.compile(r"(?<!`)('[^'`]*\$\{[^'`]*'|\$\{[^}]*\}|<[a-z]+>(?:_<[a-z]+>)*|(?<![\w-])--[a-z][a-z-]+)(?!`)")
_LOOKS = {
    State.CLAIMED: "Wait",
    State.PROCESSING: "Task",
    State.COMPLETED: "Succeed",
    State.FAILED: "Fail",
    State.INVALID: "Fail",
    State.ABORTED: "Fail",
}
_EXITS = (
    (0, "done"),
    (main.RUN_FAILED, "`run`, `run-workflow`: the execution failed, or its input is invalid; its error is printed"),
    (main.TIMED_OUT, "`run`, `run-workflow`: not ended in time; the payload stays queued or running"),
    (main.INTERRUPTED, "interrupted"),
)


def write(folder: Path) -> list[Path]:
    """Fill the blocks of every page below a folder, and write the whole files; gives the files that changed."""
    changed = [file for name, draw in WHOLE.items() if _update(file := folder / name, draw())]
    for page in sorted(folder.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if _update(page, filled(text)):
            changed.append(page)
    return changed


def _update(file: Path, text: str) -> bool:
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    file.write_text(text, encoding="utf-8")
    return True


def filled(text: str) -> str:
    """A page with its blocks filled; KeyError names a block that there is not."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]]().strip()}\n\n{found[3]}", text)


# ---------------------------------------------------------------- commands


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by the words that call it, the root first, groups before what they hold."""
    yield from _below("cirrus", main.cirrus)


def _below(words: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        arguments = [_shown(one) for one in command.params if isinstance(one, click.Argument)]
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _below(" ".join([words, *arguments, name]), child)


def options(command: click.Command) -> list[click.Option]:
    """The options of a command that its help shows, without `--help`."""
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden]


def _commands() -> str:
    return "\n\n".join(_command(words, command) for words, command in commands())


def _command(words: str, command: click.Command) -> str:
    arguments = [_shown(one) for one in command.params if isinstance(one, click.Argument)]
    kept = [*arguments, "COMMAND"] if isinstance(command, click.Group) else arguments
    usage = " ".join([words, *(["[OPTIONS]"] if options(command) else []), *kept])
    parts = [f"## `{words}`", f"```text\n{usage}\n```", _help(command)]
    others = _aliases(command)
    if others:
        parts.append("Other names: " + ", ".join(others) + ".")
    if options(command):
        parts.append(_table(("option", "meaning"), [(_names(one), _meaning(one)) for one in options(command)]))
    return "\n\n".join(parts)


def _aliases(command: click.Command) -> list[str]:
    aliases: Mapping[str, str] = getattr(command, "aliases", {})
    return [f"`{alias}` for `{name}`" for alias, name in aliases.items()]


def _shown(argument: click.Argument) -> str:
    if argument.metavar:
        return argument.metavar
    name = (argument.name or "").upper()
    many = "..." if argument.nargs != 1 else ""
    return f"{name}{many}" if argument.required else f"[{name}{many}]"


def _help(command: click.Command) -> str:
    """The help, its lines joined to paragraphs; what looks like markup is code."""
    paragraphs = re.split(r"\n\s*\n", (command.help or "").strip())
    return "\n\n".join(_code(" ".join(paragraph.split())) for paragraph in paragraphs)


def _code(text: str) -> str:
    """Text in which what Markdown would misread, templates, options and `<names>`, stands as code."""
    return _LITERAL.sub(r"`\1`", text)


def _names(option: click.Option) -> str:
    if option.secondary_opts:
        return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    value = "" if option.is_flag else f" {option.metavar or _kind(option.type)}"
    return f"`{', '.join(option.opts)}{value}`"


def _kind(kind: click.ParamType[Any]) -> str:
    if isinstance(kind, click.Choice):
        return "|".join(map(str, kind.choices))
    named = {
        "text": "TEXT",
        "path": "PATH",
        "directory": "FOLDER",
        "float": "SECONDS",
        "integer range": "N",
        "integer": "N",
    }
    return named.get(kind.name, kind.name)


def _meaning(option: click.Option) -> str:
    default = option.default if option.show_default else None
    envvar = f" Environment: `{option.envvar}`." if option.envvar else ""
    stated = f" Default: `{default}`." if default is not None else ""
    return (_code(option.help or "") + stated + envvar).strip()


# ---------------------------------------------------------------- tables


def _settings() -> str:
    return "\n\n".join(f"## `[{name}]`\n\n{_section(settings)}" for name, settings in SECTIONS.items())


def _section(settings: Sequence[Setting]) -> str:
    rows = [(f"`{one.name}`", _default(one.default), _sentence(one.help)) for one in settings]
    return _table(("key", "default", "meaning"), rows)


def _default(value: Any) -> str:
    return "" if value is None or value == {} else f"`{value}`"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text[:1].isalpha() else text + "."


def _transitions() -> str:
    rows = [(f"`{row.before}`" if row.before else "none", row.trigger, f"`{row.after}`") for row in TRANSITIONS]
    return _table(("before", "what happens", "after"), rows)


def state_diagram() -> str:
    """The table of changes as an SVG; those between two states share an arrow, those that begin again are dashed."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for row in TRANSITIONS:
        if row.before:
            arrows.setdefault((row.before, row.after), []).append(row.trigger)
    ways = [
        Way(before, after, CATCH if after is State.CLAIMED else RULE, ", ".join(triggers))
        for (before, after), triggers in arrows.items()
    ]
    first = next(row.after for row in TRANSITIONS if row.before is None)
    boxes = {str(state): Box(state, _LOOKS[state]) for state in State}
    return draw_svg(Scope(first, boxes, tuple(ways)), title="The states of a record")


def _events() -> str:
    return _table(("event", "when"), [(f"`{one}`", MEANINGS[one]) for one in EventType])


def _fields(head: str, fields: Sequence[definition.Field]) -> str:
    return _table((head, "what"), [(f"`{one.name}`", one.meaning) for one in fields])


def _exit_codes() -> str:
    errors = [(code, f"`{kind.__name__}`: {_first_line(kind)}") for kind, code in main.EXIT_CODES]
    misused = (2, "the command line is wrong: an unknown command or option, a missing argument")
    rows = sorted([*_EXITS, *errors, misused], key=lambda row: row[0])
    return _table(("code", "meaning"), [(f"`{code}`", text) for code, text in rows])


def _first_line(kind: type[BaseException]) -> str:
    if kind is ValueError:
        return "a value that cannot be used"
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split()).rstrip(".")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


BLOCKS: Mapping[str, Callable[[], str]] = {
    "commands": _commands,
    "settings": _settings,
    "transitions": _transitions,
    "exit-codes": _exit_codes,
    "events": _events,
    "process-fields": lambda: _fields("field", definition.FIELDS),
    "upload-fields": lambda: _fields("`upload_options`", definition.UPLOAD_FIELDS),
}
WHOLE: Mapping[str, Callable[[], str]] = {
    "reference/state.svg": state_diagram,
    "reference/payload.schema.json": lambda: f"{encode_pretty(payload_schema()).decode()}\n",
    "reference/cirrus.schema.json": lambda: f"{encode_pretty(project_schema()).decode()}\n",
}
"""Whole files below the documentation's folder."""


if __name__ == "__main__":
    for changed_page in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs")):
        print(changed_page)  # noqa: T201 - a tool for whoever writes the documentation
