"""`cirrus`: where the command line begins, and where errors become exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from cirrus import __version__, errors
from cirrus.entry.cli.group import LazyGroup
from cirrus.entry.cli.output import say, silence

_HERE = "cirrus.entry.cli"
COMMANDS = {
    "init": (f"{_HERE}.init:init", "Make a project that runs as it is."),
    "up": (f"{_HERE}.up:up", "Work the queue in the foreground until interrupted."),
    "run": (f"{_HERE}.run:run", "Make a payload from Item files or URLs and run it."),
    "manage": (f"{_HERE}.manage:manage", "Operate a deployment."),
    "check": (f"{_HERE}.upkeep:check", "Look for what should not be in the state database."),
    "backup": (f"{_HERE}.upkeep:backup", "Copy the state database while it is in use."),
    "payload": (f"{_HERE}.payload:payload", "Check and fill in payloads, without a deployment."),
    "workflow": (f"{_HERE}.workflow:workflow", "Check workflows, draw them, and try them out in memory."),
    "secrets": (f"{_HERE}.secrets:secrets", "Where credentials of buckets are, and whether they work."),
    "deploy": (f"{_HERE}.deploy:deploy", "Deploy the project on AWS."),
    "destroy": (f"{_HERE}.deploy:destroy", "Delete a deployment on AWS."),
    "list-deployments": (f"{_HERE}.deployments:list_deployments", "The deployments of the project."),
    "doctor": (f"{_HERE}.doctor:doctor", "What is wrong here, and what to do about it."),
    "demo": (f"{_HERE}.demo:demo", "Process a real Landsat scene, fail, fix, and rerun."),
    "version": (f"{_HERE}.version:version", "The version of Cirrus."),
}
# What went wrong → exit code, the most specific first. Click itself exits with 2 where a command is misused.
EXIT_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (errors.ConfigError, 2),
    (errors.NotFound, 3),
    (errors.StoreError, 4),
    (errors.CirrusError, 1),
    (ValueError, 1),
    (OSError, 1),
)
RUN_FAILED = 10
TIMED_OUT = 11
INTERRUPTED = 130


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    aliases={"mgmt": "manage"},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="cirrus")
@click.option(
    "-p",
    "--project",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    envvar="CIRRUS_PROJECT",
    help="The project's folder; by default this one or the nearest above that has a cirrus.toml.",
)
@click.pass_context
def cirrus(ctx: click.Context, project: Path) -> None:
    """Turn a stream of satellite scenes into clean STAC data.

    Any unique prefix of a command will do: `cirrus man local proc`.
    """
    ctx.obj = project


def main() -> None:
    """Run the command line; every error leaves as one message on stderr and an exit code."""
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    try:
        code = cirrus.main(prog_name="cirrus", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        say("interrupted")
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        silence()
        sys.exit(0)
    except tuple(kind for kind, _ in EXIT_CODES) as error:
        say(f"cirrus: {error}")
        sys.exit(next(code for kind, code in EXIT_CODES if isinstance(error, kind)))


if __name__ == "__main__":
    main()
