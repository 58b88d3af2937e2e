"""What keeps a deployment going: deliveries, pauses, tasks that wait for an answer, checks and backups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cirrus import app
from cirrus.client.opened import Opened
from cirrus.core.throttle import COLLECTIONS, DEPLOYMENT, WORKFLOW, Pause
from cirrus.flow import redeliver, respond
from cirrus.ports.outbox import Entered
from cirrus.ports.upkeep import Finding


class Keeping(Opened):
    """The part of the client that looks after a deployment."""

    # ---------------------------------------------------------------- deliveries

    def deliveries(
        self, *, state: str | None = None, target: str | None = None, payload_id: str | None = None
    ) -> Iterator[Entered]:
        """What was and is to be sent, oldest first: all, or those that are waiting, sent or parked (`state`)."""
        return redeliver.entries(self.home, state=state, target=target, payload_id=payload_id)

    def retry_deliveries(self, ids: Sequence[int]) -> Iterator[tuple[int, bool]]:
        """Send parked deliveries again; whether each was parked, and no later Items of its payload were sent."""
        return redeliver.retry(self.home, ids)

    def drop_deliveries(self, ids: Sequence[int]) -> Iterator[tuple[int, bool]]:
        """Take parked deliveries off the ledger for good; whether each was parked."""
        return redeliver.drop(self.home, ids)

    # ---------------------------------------------------------------- pauses

    def pauses(self) -> list[Pause]:
        """What is paused."""
        return self.home.queue.pauses()

    def pause(self, *, workflow: str | None = None, collections: str | None = None, reason: str = "") -> Pause:
        """Begin nothing more of a workflow, of collections, or at all, in any control process, until it is resumed."""
        one = Pause(*scope(workflow, collections), self.home.clock(), reason)
        self.home.queue.pause(one)
        return one

    def resume(self, *, workflow: str | None = None, collections: str | None = None) -> bool:
        """Lift a pause; whether there was one."""
        return self.home.queue.resume(*scope(workflow, collections))

    # ---------------------------------------------------------------- tasks that wait

    def send_task_success(self, token: str, output: Any) -> None:
        """A task that waits for a token has succeeded with `output`; NotFound if none waits under it."""
        respond.send_task_success(self.home, token, output)

    def send_task_failure(self, token: str, error: str = "", cause: str = "") -> None:
        """A task that waits for a token has failed; NotFound if none waits under it."""
        respond.send_task_failure(self.home, token, error, cause)

    def send_task_heartbeat(self, token: str) -> None:
        """A task that waits for a token is alive; NotFound if none waits under it."""
        respond.send_task_heartbeat(self.home, token)

    def activity_task(self, arn: str) -> tuple[str, str] | None:
        """Token and input (JSON text) of the oldest waiting task of an activity; None if there is none."""
        return respond.get_activity_task(self.home, arn)

    # ---------------------------------------------------------------- checks and backups

    def check(self, *, full: bool = False) -> Iterator[Finding]:
        """What should not be in the state database; `full` reads every page, body and history."""
        from cirrus.flow.check import check

        upkeep = app.open_upkeep(self.deployment)  # first: opening the home would make a store that is not there
        return check(self.home, upkeep, full=full)

    def backup(
        self, file: str | Path, *, force: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> int:
        """Copy the state database, while it is in use, to a file; its size in bytes. `progress` is told pages."""
        from cirrus.flow.backup import backup

        return backup(app.open_upkeep(self.deployment), str(file), force=force, progress=progress)


def scope(workflow: str | None, collections: str | None) -> tuple[str, str]:
    """What a pause is of; ValueError for both a workflow and collections."""
    if workflow is not None and collections is not None:
        raise ValueError("either a workflow or collections can be paused, or neither for the whole deployment")
    if workflow is not None:
        return WORKFLOW, workflow
    return (DEPLOYMENT, "") if collections is None else (COLLECTIONS, collections)
