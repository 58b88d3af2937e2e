"""`cirrus workflow test`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cirrus.entry.cli.workflow_named import Named, bare_name, named, read_bytes, read_json
from cirrus.errors import NotFound

if TYPE_CHECKING:
    from cirrus.trial.cases import Case
    from cirrus.trial.differences import Difference
    from cirrus.trial.judge import Verdict

ENDINGS = (".test.yaml", ".test.yml", ".test.json")
_SHOWN = 20
_WIDEST = 400
_LONGEST_PATH = 500


@click.command()
@click.argument("name")
@click.option("--mock", "file", metavar="FILE", help="The test file; by default NAME.test.yaml beside the definition.")
@click.option("--case", "wanted", multiple=True, metavar="NAME", help="Only this case; may be given several times.")
@click.option("--input", "given", metavar="FILE", help="The input of cases that have none of their own; - is stdin.")
@click.pass_obj
def test(folder: Path, name: str, file: str | None, wanted: tuple[str, ...], given: str | None) -> None:
    """Run the cases of NAME, a workflow of the project or the path of a definition, in memory.

    Tasks answer what the test file says, and time is virtual. The file is one of Cirrus or a MockConfigFile.json of
    Step Functions Local. Prints a line for each case and what differs; exits 1 if a case fails.
    """
    from cirrus import asl
    from cirrus.entry.cli.output import say
    from cirrus.trial.judge import judge

    found = named(folder, name)
    machine = asl.parse(found.definition(), name=found.workflow.source)
    cases = _wanted(load_cases(found, file), wanted)
    default = {} if given is None else read_json(given, "the input")
    failed = 0
    for case in cases:
        verdict = judge(machine, case, default, workflow=found.name)
        failed += not verdict.passed
        _show(verdict)
    say(f"{len(cases) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def load_cases(found: Named, file: str | None = None) -> list[Case]:
    """The cases of a test file, by default the one beside the definition; NotFound if there is none."""
    from cirrus.trial.cases import read_cases

    place = Path(file) if file is not None else default_file(found.file)
    content = read_bytes(str(place))
    base = place.parent

    def read(name: str) -> bytes:
        return (base / name).read_bytes()

    return read_cases(content, place.name, found.definition(), found.name, read)


def default_file(definition: Path) -> Path:
    """The test file beside a definition; NotFound if there is none."""
    name = bare_name(definition)
    for ending in ENDINGS:
        if (definition.parent / f"{name}{ending}").is_file():
            return definition.parent / f"{name}{ending}"
    raise NotFound("test file", str(definition.parent / f"{name}{ENDINGS[0]}"), "--mock FILE names another")


def _wanted(cases: list[Case], names: tuple[str, ...]) -> list[Case]:
    known = {case.name: case for case in cases}
    for name in names:
        if name not in known:
            raise NotFound("case", name, f"there are: {', '.join(known) or 'none'}")
    return [known[name] for name in dict.fromkeys(names)] if names else cases


def _show(verdict: Verdict) -> None:
    from cirrus.core.jsontext import encode
    from cirrus.entry.cli import output

    if not output.on_terminal():
        output.line(encode(body(verdict)))
        return
    mark = click.style("passed", fg="green") if verdict.passed else click.style("failed", fg="red")
    ended = f"  {verdict.played.status}: {' → '.join(verdict.played.path)}" if verdict.played else ""
    click.echo(f"{mark}  {verdict.case}{_short(ended)}")
    for line in explain(verdict):
        colour = {"-": "red", "+": "green"}.get(line[:1])
        click.echo("  " + click.style(line, fg=colour))


def body(verdict: Verdict) -> dict[str, Any]:
    """A verdict as one JSON object."""
    shown: dict[str, Any] = {"case": verdict.case, "result": "passed" if verdict.passed else "failed"}
    if verdict.problem:
        shown["problem"] = verdict.problem
    if verdict.played:
        shown |= {"status": verdict.played.status, "path": _cut(verdict.played.path)}
        ending = {"error": verdict.played.error, "cause": verdict.played.cause}
        shown |= {key: value for key, value in ending.items() if value is not None}
    if verdict.differences:
        shown["differences"] = [_difference(one) for one in verdict.differences]
    return shown


def _difference(one: Difference) -> dict[str, Any]:
    from cirrus.trial.differences import ABSENT

    sides = {"expected": one.expected, "found": _cut(one.found) if one.what == "path" else one.found}
    place = {"of": one.what, "pointer": one.pointer} if one.pointer else {"of": one.what}
    return place | {side: value for side, value in sides.items() if value is not ABSENT}


def _cut(path: list[str]) -> list[str]:
    """A path that a person would still read."""
    return path if len(path) <= _LONGEST_PATH else [*path[:_LONGEST_PATH], f"… and {len(path) - _LONGEST_PATH} more"]


def explain(verdict: Verdict) -> list[str]:
    """What is wrong with a case, as lines of a diff: `-` is expected, `+` was found."""
    if verdict.problem:
        return [verdict.problem]
    lines: list[str] = []
    for one in verdict.differences[:_SHOWN]:
        lines.append(f"{one.what} {one.pointer}".rstrip())
        lines += [f"{mark} {_value(side)}" for mark, side in (("-", one.expected), ("+", one.found))]
    if len(verdict.differences) > _SHOWN:
        lines.append(f"and {len(verdict.differences) - _SHOWN} more differences")
    return lines


def _value(value: Any) -> str:
    from cirrus.trial.differences import ABSENT

    return "(nothing)" if value is ABSENT else _short(json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
