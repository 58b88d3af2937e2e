"""The composition root: a project and the name of a deployment in, everything that works it out."""

from __future__ import annotations

import os
import random
import secrets
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cirrus.backends import backend
from cirrus.core.bucket import Access
from cirrus.core.bucket_options import AMBIENT
from cirrus.core.grants import Grants
from cirrus.core.instant import SECOND
from cirrus.core.reserved import MESSAGES, POST_BATCH, PRE_BATCH
from cirrus.core.state import State
from cirrus.errors import ConfigError, NotFound, StoreError
from cirrus.flow.access import Vault, grant
from cirrus.flow.home import Home, Limits
from cirrus.ports.compute import Compute, TaskSpec
from cirrus.ports.objects import Objects
from cirrus.ports.outbox import Subscriptions
from cirrus.ports.payloads import Payloads
from cirrus.ports.retention import Policy
from cirrus.ports.secrets import SecretSource
from cirrus.ports.target import Target
from cirrus.ports.upkeep import Upkeep
from cirrus.settings import Deployment, Project, environment, find_project, load_project
from cirrus.tasks import BUILTIN, INTERNAL
from cirrus.workflows import ProjectWorkflows

_LONGEST_CALL = 960
_STORE_ON_AWS = (
    "on AWS records are in DynamoDB, which checks its store itself and keeps 35 days to go back to"
    " (`aws dynamodb restore-table-to-point-in-time`, or `create-backup` for a copy that stays);"
    " `cirrus doctor --deployment NAME` looks the deployment over"
)

if TYPE_CHECKING:
    from cirrus.deployed import Deployed
    from cirrus.flow.work import Worker


def open_project(start: Path) -> Project:
    """The project that a folder belongs to; ConfigError if there is none or it is wrong."""
    return load_project(find_project(start.resolve()))


def open_project_of(start: Path, name: str) -> Project:
    """As `open_project`; where there is none, a deployment that the parameter store of AWS knows by this name alone."""
    from cirrus.stored import without_project

    folder = start.resolve()
    try:
        found = find_project(folder)
    except ConfigError:
        alone = without_project(name, folder)
        if alone is None:
            raise
        return alone
    return load_project(found)


def deployment(project: Project, name: str) -> Deployment:
    """A deployment by name, of the project or of the parameter store; NotFound lists those of the project."""
    from cirrus.stored import stored

    there_are = f"there are: {', '.join(sorted(project.deployments))}"
    try:
        found = project.deployments.get(name) or stored(name, project.folder)
    except StoreError as error:
        raise StoreError(f"the project has no deployment {name!r} ({there_are}), and {error}") from error
    if found is None:
        raise NotFound("deployment", name, there_are)
    if found.home not in {"local", "aws"}:
        raise ConfigError("cirrus.toml", [f"deployments.{name}.home: {found.home!r} is not served by this version"])
    return found


def task_specs(project: Project) -> dict[str, TaskSpec]:
    """The tasks that workflows may name: the project's, and the built-in ones that it does not replace."""
    built_in = {name: TaskSpec(name=name, handler=handler) for name, handler in BUILTIN.items()}
    return {**built_in, **project.tasks}


def open_vault(project: Project) -> Vault:
    """The buckets that a project declares; no secret is read before it is needed."""
    arguments = {"env": (environment(),), "file": (project.folder,)}
    sources: dict[str, SecretSource] = {}

    def source(kind: str) -> SecretSource:
        if kind not in sources:
            sources[kind] = backend("secrets", kind)(*arguments.get(kind, ()))
        return sources[kind]

    return Vault(project.buckets, source, time.monotonic)


def open_grants(project: Project, where: Deployment, vault: Vault) -> Grants | None:
    """The buckets that each task may use, with what opens them; None if the project declares none.

    ConfigError names every secret that a task needs and that is missing, no use or cannot be read.
    """
    if not project.buckets:
        return None
    return grant(vault, task_specs(project).values(), _internal().values(), where.data, _hidden(project))


def _hidden(project: Project) -> list[str]:
    """The variables of the environment that hold secrets of buckets."""
    prefixes = [one.secret.name for one in project.buckets.values() if one.secret and one.secret.source == "env"]
    names = backend("secrets", "variables") if prefixes else None
    return [name for prefix in prefixes for name in names(prefix)] if names else []


def open_trial(vault: Vault, bucket: str) -> Any:
    """What tries out a declared bucket; NotFound, ConfigError or StoreError where its secret is no use."""
    return open_trial_of(vault.access(bucket))


def open_trial_of(access: Access | None) -> Any:
    """What tries out a bucket or store with an access."""
    return backend("trial", "objects")(access)


def open_home(project: Project, where: Deployment, vault: Vault | None = None) -> Home:
    """The ports of a deployment, over a connection of their own."""
    if where.home == "aws":
        return _open_aws(project, where, vault)
    objects: Objects = backend("objects", "any")(opens=(vault or open_vault(project)).access)
    targets = _targets(project, where, objects)
    database = backend("database", "sqlite")(where.root / "cirrus.db")
    state_db = backend("state_db", "sqlite")(database, _subscriptions(targets))
    queue = backend("queue", "sqlite")(database, state_db)
    clock = _clock
    return Home(
        name=where.name,
        state_db=state_db,
        queue=queue,
        payloads=backend("payloads", "sqlite")(database, state_db, where.name, clock),
        journal=backend("journal", "sqlite")(database),
        callbacks=backend("callbacks", "sqlite")(database),
        outbox=backend("outbox", "sqlite")(database),
        retention=backend("retention", "sqlite")(database),
        campaigns=backend("campaigns", "sqlite")(database, queue),
        unit=database,
        objects=objects,
        parameters=_declared(project, where),
        workflows=ProjectWorkflows(project.workflows, {*task_specs(project), PRE_BATCH, POST_BATCH}),
        targets=targets,
        clock=clock,
        steady=_steady,
        chance=_dice(),
        changes=database.data_version,
        buckets=where.buckets,
        limits=replace(
            Limits(),
            lease=round(where.lease * SECOND),
            running=where.max_running,
            running_bytes=where.max_running_size,
            delivery_attempts=where.delivery_attempts,
            drain=None if where.drain is None else round(where.drain * SECOND),
        ),
        throttle=project.throttle,
        policy=_policy(where.retention),
        bell=backend("bell", "local")(where.root),
    )


def _declared(project: Project, where: Deployment, prefix: str = "") -> Any:
    """What the project's tasks declare; names of functions begin with the prefix."""
    hidden = {*_hidden(project), *AMBIENT} if project.buckets else ()
    return backend("parameters", "local")(
        project.folder, task_specs(project), where.root / "parameters.json", hidden, prefix
    )


def _open_aws(project: Project, where: Deployment, vault: Vault | None) -> Home:
    """The ports of a deployment on AWS, found by its pointer in the parameter store."""
    deployed = open_deployed(where)
    objects: Objects = backend("objects", "any")(opens=(vault or open_vault(project)).access)
    home = deployed.home(objects=objects, checked=True, parameters=_declared(project, where, deployed.variables.prefix))
    return replace(home, buckets=where.buckets, payloads=_both_layouts(deployed))


def open_deployed(where: Deployment) -> Deployed:
    """A deployment on AWS by its pointer, with the role that it lets operators assume."""
    from cirrus.deployed import Deployed
    from cirrus.variables import read_variables

    variables = read_variables(deployed_variables(where), f"/cirrus/deployments/{where.pointer or where.name}")
    return Deployed(variables, _clients(where, variables.cli_role), where.name)


def deployed_variables(where: Deployment) -> dict[str, str]:
    """Every variable of a deployment on AWS, as the parameter store has them; NotFound without a pointer."""
    if where.home != "aws":
        raise ConfigError("cirrus.toml", [f"deployments.{where.name}.home: 'aws' is expected, not {where.home!r}"])
    found: dict[str, str] = backend("parameters", "aws")(_clients(where)).variables(where.pointer or where.name)
    return found


def _clients(where: Deployment, role: str | None = None, **more: Any) -> Any:
    return backend("clients", "aws")(where.region, profile=where.profile, role=role, **more)


def open_functions(where: Deployment) -> Any:
    """The functions of a deployment on AWS; a call is made once, and waited for as long as a function may take."""
    variables = open_deployed(where).variables
    once = _clients(where, variables.cli_role, attempts=1, read_seconds=_LONGEST_CALL)
    return backend("functions", "aws")(once, variables.prefix)


def _both_layouts(deployed: Deployed) -> Any:
    """Payloads in our layout and in that of version 1."""
    payloads = deployed.payloads()
    engine = backend("engine", "aws")(deployed.clients, deployed.arns, payloads, deployed.variables.payload_root)
    return backend("payloads", "aws-both")(payloads, deployed.arns, engine.describe)


def open_migration(where: Deployment, *, good: str | None = None) -> Any:
    """What brings a deployment on AWS up to date; `good` is the word for a good end that its rows are to say."""
    deployed = open_deployed(where)
    variables = deployed.variables
    return backend("migration", "aws")(
        deployed.clients,
        variables.state_db,
        deployed.payloads(),
        _both_layouts(deployed),
        root=variables.payload_root,
        good=good,
        attention=deployed.attention(),
    )


def _need_local(where: Deployment, instead: str) -> None:
    """ConfigError where a deployment has no control process and no store of ours; it says what there is instead."""
    if where.home == "aws":
        raise ConfigError("cirrus.toml", [f"deployments.{where.name}.home: {instead}"])


@contextmanager
def woken(where: Deployment, worker: Worker) -> Iterator[None]:
    """Let a control process hear what is queued by others on this machine, as long as the block lasts."""
    listener = backend("listener", "local")(where.root, f"{os.getpid()}-{secrets.token_hex(4)}", worker.wake)
    try:
        yield
    finally:
        listener.close()


def open_payloads(home: Home, root: str) -> Payloads:
    """A payload store below a folder or the URL of a store."""
    store: Payloads = backend("payloads", "objects")(root, home.objects)
    return store


def open_compute(
    project: Project, where: Deployment, *, workers: int | None = None, vault: Vault | None = None
) -> Compute:
    """Where the project's tasks run: worker processes, ended by `close`."""
    vault = vault or open_vault(project)
    compute: Compute = backend("compute", "local")(
        {**task_specs(project), **_internal()},
        project=project.folder,
        workers=workers or where.workers,
        data=where.data,
        environment={} if where.catalog is None else {"CIRRUS_CATALOG": where.catalog},
        worker_attempts=where.worker_attempts,
        worker_age=where.worker_age,
        worker_memory=where.worker_memory,
        grants=open_grants(project, where, vault),
        regrant=_regrant(project, where, vault),
    )
    return compute


def _regrant(project: Project, where: Deployment, vault: Vault) -> Callable[[], Grants | None]:
    """What gives the grants anew once a secret has changed, and None as long as none has."""
    seen = vault.changes()

    def regrant() -> Grants | None:
        nonlocal seen
        changes = vault.changes()
        if changes == seen:
            return None
        seen = changes
        return open_grants(project, where, vault)

    return regrant


def open_worker(
    project: Project, where: Deployment, *, only: Collection[str] | None = None, workers: int | None = None
) -> Worker:
    """A control process for a deployment; with `only`, for these payload ids alone."""
    from cirrus.flow.work import Worker

    _need_local(where, "on AWS the deployment's functions do the work as it comes: there is nothing to start")
    vault = open_vault(project)
    compute = open_compute(project, where, workers=workers, vault=vault)
    about = f"pid {os.getpid()} on {socket.gethostname()}"
    owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    specs = task_specs(project)
    return Worker(
        open_home(project, where, vault),
        compute,
        specs,
        owner,
        delivery_home=open_home(project, where, vault),
        only=only,
        about=about,
        sourced=[name for name, spec in specs.items() if spec.handler == BUILTIN["publish"]],
    )


def open_upkeep(where: Deployment) -> Upkeep:
    """What looks a deployment's store over and copies it; StoreError if there is none."""
    _need_local(where, _STORE_ON_AWS)
    upkeep: Upkeep = backend("upkeep", "sqlite")(where.root / "cirrus.db")
    return upkeep


def _internal() -> dict[str, TaskSpec]:
    """What state machines call of object stores: our own code, which may use every bucket."""
    return {name: TaskSpec(name=name, handler=handler) for name, handler in INTERNAL.items()}


def _policy(retention: Mapping[str, Any]) -> Policy:
    """The policy for ages in seconds: by end state, or one for all."""
    given: dict[str, Any] = {}
    for name, age in retention.items():
        if isinstance(age, Mapping):
            given[name] = {State(state): round(seconds * SECOND) for state, seconds in age.items()}
        elif age is not None:
            given[name] = round(age * SECOND)
    return Policy(**given)


def _clock() -> int:
    return time.time_ns() // 1000


def _steady() -> int:
    """Of the machine, as the database's readers and writers are; sleep stops it, a new start begins it anew."""
    return time.monotonic_ns() // 1000


def _dice() -> Callable[[], int]:
    """63 random bits a call; seeded once, since asking the system each time can cost more than a claim."""
    generator = random.Random(secrets.randbits(256))  # noqa: S311 - seeds and names, no secrets
    return partial(generator.getrandbits, 63)


def _targets(project: Project, where: Deployment, objects: Objects) -> dict[str, Target]:
    targets: dict[str, Target] = {}
    if where.catalog is not None:
        targets["catalog"] = backend("target", "catalog")(where.catalog, objects, project.name, where.lease / 2)
    targets[MESSAGES] = backend("target", "messages")(where.root / "messages")
    for name in ("events_file", "items_file"):
        path = getattr(where, name)
        if path:
            targets[name] = backend("target", "file")(Path(path))
    for name in ("events_webhook", "items_webhook"):
        url = getattr(where, name)
        if url:
            targets[name] = backend("target", "webhook")(url)
    return targets


def _subscriptions(targets: Mapping[str, Target]) -> Subscriptions:
    events = tuple(name for name in targets if name.startswith("events_"))
    return Subscriptions(events=events, items=tuple(name for name in targets if name not in (*events, MESSAGES)))
