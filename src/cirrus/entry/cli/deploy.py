"""`cirrus deploy` and `cirrus destroy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cirrus.entry.cli import complete, output
from cirrus.errors import CirrusError

if TYPE_CHECKING:
    from cirrus.deploying.stack import Change
    from cirrus.settings import Deployment, Project


@click.command()
@click.argument("deployment", shell_complete=complete.deployments)
@click.option("--plan", "planning", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--template",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="Write the CloudFormation template to a file (- for stdout) and deploy nothing.",
)
@click.option("--code", is_flag=True, help="With --template, build the zip files too and say where they are.")
@click.option("--replace-data", is_flag=True, help="Allow a new table or bucket in the place of one that holds data.")
@click.pass_obj
def deploy(
    project: Path, deployment: str, planning: bool, template: Path | None, code: bool, replace_data: bool
) -> None:
    """Deploy the project on AWS, as [deployments.DEPLOYMENT] with home = "aws" says.

    The project becomes a CloudFormation template, checked with cfn-lint, and the functions' code zip files, built from
    wheels without Docker. Deploying again changes what has changed. On stdout is what was changed.
    """
    from cirrus.deploying.deploy import Deployer, write_template

    opened, where = _found(project, deployment)
    deployer = Deployer(opened, where, output.say)
    if template is not None:
        if str(template) == "-":
            output.raw(deployer.template.encode() + b"\n")
        else:
            write_template(deployer.template, template)
            output.say(f"wrote {template}")
        for one in filter(None, deployer.code()) if code else ():
            output.say(f"upload {one.file} as {one.key}")
        return
    if planning:
        _show(deployer.plan())
        return
    changes = deployer.deploy(lose=replace_data)
    _show(changes)
    output.say(f"{deployment} is deployed" if changes else f"{deployment} is as the project says: nothing was changed")
    _declare_index(where)
    for name, value in sorted(deployer.outputs().items()):
        output.say(f"  {name:<14} {value}")


def _declare_index(where: Deployment) -> None:
    """Say whether the index of what needs attention holds all records."""
    from cirrus.app import open_deployed

    try:
        whole = open_deployed(where).attention().deployed()
    except CirrusError as error:
        output.say(f"warning: it is not known whether the index of records is complete: {error}")
        return
    if not whole:
        migrate = f"`cirrus manage {where.name} migrate --apply` fills it, until when queries do without"
        output.say(f"the index `attention` lacks older records: {migrate}")


@click.command()
@click.argument("deployment", shell_complete=complete.deployments)
@click.option("--with-data", is_flag=True, help="Delete its tables and buckets too, with everything in them.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def destroy(project: Path, deployment: str, with_data: bool, yes: bool) -> None:
    """Delete a deployment on AWS. Its tables and buckets stay, and are named on stdout, unless --with-data."""
    from cirrus.deploying.deploy import destroy as delete

    opened, where = _found(project, deployment)
    if not yes:
        what = "with all records, payloads and outputs" if with_data else "but for its tables and buckets"
        click.confirm(f"Delete {deployment}, {what}?", abort=True, err=True)
    left = delete(opened, where, output.say, with_data=with_data)
    for name in left:
        output.line(name.encode())
    output.say(f"{deployment} is deleted" + ("; these are left and hold its data" if left else ""))


def _found(folder: Path, name: str) -> tuple[Project, Deployment]:
    from cirrus.app import open_project
    from cirrus.errors import ConfigError, NotFound

    project = open_project(folder)
    where = project.deployments.get(name)
    if where is None:
        raise NotFound("deployment", name, f"there are: {', '.join(sorted(project.deployments))}")
    if where.home != "aws":
        raise ConfigError("cirrus.toml", [f"deployments.{name}.home: 'aws' is expected, not {where.home!r}"])
    return project, where


def _show(changes: list[Change]) -> None:
    from cirrus.core.jsontext import encode

    if output.on_terminal():
        rows = [(one.action, one.kind, one.name, "" if one.replaced == "False" else one.replaced) for one in changes]
        output.table(("ACTION", "TYPE", "NAME", "REPLACED"), rows)
        return
    for one in changes:
        told = {"action": one.action, "type": one.kind, "name": one.name, "replaced": one.replaced}
        output.line(encode(told))
