"""`cirrus.Client`: one deployment, and everything that can be asked of it and done with it."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack, cast

from cirrus import app
from cirrus.client.filters import Filters
from cirrus.client.item import Item
from cirrus.client.keeping import Keeping
from cirrus.client.throttle import throttled
from cirrus.client.watching import changes, summaries
from cirrus.core.bucket import Reference
from cirrus.core.campaign import Options
from cirrus.core.event import WorkflowEvent
from cirrus.core.instant import SECOND, iso
from cirrus.core.jsontext import decode, encode
from cirrus.core.record import Record
from cirrus.core.state import RUNNING
from cirrus.errors import Fenced, NotFound
from cirrus.flow import campaign as campaigns
from cirrus.flow import items, query
from cirrus.flow.access import BucketStatus, Vault, statuses
from cirrus.flow.campaign import Preview, Report
from cirrus.flow.catalog_check import Flaw, Tally, check_catalog
from cirrus.flow.explain import Explanation, explain
from cirrus.flow.export import export
from cirrus.flow.failures import FailureGroup, failure_groups
from cirrus.flow.forget import forget
from cirrus.flow.items import OutputItem
from cirrus.flow.lineage import Descent, Origin, descent, origin
from cirrus.flow.plan import Planned, plan
from cirrus.flow.select import select
from cirrus.flow.stats import Stats, stats
from cirrus.flow.submit import BATCH, Submitted, submit
from cirrus.flow.summary import Summary, summary
from cirrus.flow.timeline import Timeline, timeline
from cirrus.ports.campaigns import Campaign
from cirrus.ports.compute import Attempt, Outcome, TaskSpec
from cirrus.ports.journal import AttemptLog
from cirrus.ports.query import Query
from cirrus.ports.queue import Kept
from cirrus.ports.state_db import Execution
from cirrus.ports.target import Catalog

Payload = Mapping[str, Any] | bytes | str
_PAUSE = 0.5
_EVENTS = 1000


class Client(Keeping):
    """A deployment of a project, by its name; opened when something is asked of it. One thread uses it at a time."""

    # ---------------------------------------------------------------- buckets

    @cached_property
    def vault(self) -> Vault:
        """What opens the buckets that the project declares; no secret is read before it is needed."""
        return app.open_vault(self.project)

    def buckets(self) -> list[BucketStatus]:
        """The buckets that the project declares, and whether their secrets are there; these are read, not shown."""
        return statuses(self.vault, self.project.tasks.values())

    def set_secret(self, bucket: str, keys: Mapping[str, Any]) -> Reference:
        """Keep the credentials of a declared bucket where it says; gives where. ConfigError if they are no use."""
        return self.vault.write(bucket, keys)

    def check_bucket(
        self, bucket: str, *, key: str | None = None, write: bool = False, prefix: str = ""
    ) -> dict[str, str]:
        """Really list a declared bucket, or read `key` of it, and if asked write to it; what was done.

        StoreError says what the store refused.
        """
        self.vault.declared(bucket)
        trial = app.open_trial(self.vault, bucket)
        done = {"read": trial.read(key) if key else trial.list(prefix)}
        return done | ({"write": trial.write(prefix)} if write else {})

    # ---------------------------------------------------------------- submit

    def submit(
        self, payloads: Iterable[Payload], *, replace: bool = False, rate: float | None = None, priority: int = 0
    ) -> Iterator[Submitted]:
        """Queue payloads, documents or JSON texts; says of each, in order, what became of it.

        They are queued as the iterator is consumed, at most `rate` a second. With `replace` they run again even if
        they are completed or invalid. Higher priorities, of -9 to 9, begin first.
        """
        stream = throttled(map(_text, payloads), rate)
        return submit(self.home, stream, replace=replace, priority=priority, batch=BATCH if rate is None else 1)

    def plan(self, payloads: Iterable[Payload], *, replace: bool = False) -> Iterator[Planned]:
        """What `submit` would do with these payloads, from the records as they are; nothing is queued."""
        return plan(self.home, map(_text, payloads), data=self.deployment.data, replace=replace)

    # ---------------------------------------------------------------- check

    def select(self, **filters: Unpack[Filters]) -> Query:
        """The query that these filters make."""
        return select(self.home, **filters)

    def query(self, limit: int | None = None, **filters: Unpack[Filters]) -> Iterator[Record]:
        """The records that match, streamed page by page."""
        return query.records(self.home, self.select(**filters), limit)

    def summary(self, **filters: Unpack[Filters]) -> Summary:
        """How many of the records that match are in each state, what is queued and what is still to be sent."""
        return summary(self.home, self.select(**filters))

    def stats(self) -> Stats:
        """How many records entered each state, hour by hour and day by day."""
        return stats(self.home)

    def errors(self, limit: int | None = None, **filters: Unpack[Filters]) -> Iterator[FailureGroup]:
        """The failures that match, grouped by workflow, step and folded message, the most frequent first."""
        return failure_groups(self.home, self.select(**filters), limit)

    def record(self, payload_id: str) -> Record:
        """One record; NotFound if there is none."""
        return query.record(self.home, payload_id)

    def watch(self, pause: float = _PAUSE, **filters: Unpack[Filters]) -> Iterator[Record | None]:
        """Records as they change, for ever; None after each look, `pause` seconds apart."""
        return changes(self.home, self.select(**filters), pause)

    def watch_summary(self, pause: float = _PAUSE, **filters: Unpack[Filters]) -> Iterator[Summary]:
        """The summary now, and again whenever something has changed, for ever; looks are `pause` seconds apart."""
        return summaries(self.home, lambda: self.summary(**filters), pause)

    def timeline(self, payload_id: str) -> Timeline:
        """Every execution of a payload, with every step and every try; NotFound if there is no record of it."""
        return timeline(self.home, payload_id)

    def explain(self, payload_id: str) -> Explanation:
        """Why a payload is in the state it is in, what it waits for, and what queueing it again would do."""
        return explain(self.home, payload_id)

    def events(self, payload_id: str | None = None, after: int = 0) -> Iterator[tuple[int, WorkflowEvent]]:
        """What was decided, oldest first, with the number of each event; those after number `after`."""
        while found := self.home.state_db.events(payload_id=payload_id, after=after, limit=_EVENTS):
            yield from found
            after = found[-1][0]

    # ---------------------------------------------------------------- payloads and outputs

    def input_texts(
        self, *, rerun: bool = False, limit: int | None = None, **filters: Unpack[Filters]
    ) -> Iterator[bytes | NotFound]:
        """The input payloads of the records that match as JSON texts, or what says that one is not kept any more.

        With `rerun` they have `process[0].replace` set.
        """
        for found in query.inputs(self.home, self.select(**filters), limit):
            yield query.rerun_text(found) if rerun and isinstance(found, bytes) else found

    def payloads(
        self, *, rerun: bool = False, limit: int | None = None, **filters: Unpack[Filters]
    ) -> Iterator[dict[str, Any]]:
        """The input payloads of the records that match; one that is not kept any more is left out."""
        for found in self.input_texts(rerun=rerun, limit=limit, **filters):
            if isinstance(found, bytes):
                yield decode(found)

    def input_payload(self, payload_id: str) -> dict[str, Any]:
        """The payload of a record as it was last claimed."""
        found: dict[str, Any] = decode(query.input_payload(self.home, self.record(payload_id)))
        return found

    def output_payload(self, payload_id: str) -> dict[str, Any]:
        """The payload that the last execution of a record returned; NotFound if it returned none."""
        found: dict[str, Any] = decode(query.output_payload(self.home, self.record(payload_id)))
        return found

    def output_items(self, payload_id: str) -> list[Item]:
        """The Items that the last execution of a record returned."""
        return [Item(one) for one in self.output_payload(payload_id).get("features") or []]

    def items(self, limit: int | None = None, **filters: Unpack[Filters]) -> Iterator[OutputItem]:
        """The output Items of the records that match and are COMPLETED; `limit` counts records."""
        return items.items(self.home, self.select(**filters), limit)

    def item(self, item_id: str, *, collection: str | None = None, payload_id: str | None = None) -> OutputItem:
        """The output Item of an id that was made last; NotFound if there is none, or one in several collections."""
        return items.item(self.home, item_id, collection=collection, payload_id=payload_id)

    def origin(self, item_id: str, *, collection: str | None = None, depth: int = 5) -> Origin:
        """What an Item was made from and by which tasks, so many generations back."""
        return origin(self.home, item_id, collection=collection, depth=depth)

    def descent(self, item_id: str, *, collection: str | None = None, depth: int = 5) -> tuple[Descent, ...]:
        """What was made from an Item, so many generations on."""
        return descent(self.home, item_id, collection=collection, depth=depth)

    def check_catalog(
        self, tally: Tally | None = None, *, limit: int | None = None, web: bool = False, **filters: Unpack[Filters]
    ) -> Iterator[Flaw]:
        """What is wrong with the catalog and the Assets of the records that match; `tally` counts what is looked at.

        NotFound where the deployment has no catalog. With `web` Assets on the web are asked for, too.
        """
        if "catalog" not in self.home.targets:
            raise NotFound("catalog", self.name, "the deployment names none")
        catalog = cast(Catalog, self.home.targets["catalog"])
        return check_catalog(self.home, catalog, self.select(**filters), tally or Tally(), limit=limit, web=web)

    def export(
        self, target: str | Path, limit: int | None = None, **filters: Unpack[Filters]
    ) -> Iterator[tuple[str, str]]:
        """Write the payloads of the records that match to a folder or a store's URL: payload id and URL of each."""
        root = str(target) if "://" in str(target) else str(Path(target).absolute())
        return export(self.home, self.select(**filters), app.open_payloads(self.home, root), limit)

    # ---------------------------------------------------------------- executions

    def execution(
        self, payload_id: str | None = None, *, arn: str | None = None, attempt: int | None = None
    ) -> Execution:
        """A payload's latest execution, or that of number `attempt` (from 1), or one by its ARN."""
        return query.execution(self.home, arn=arn, payload_id=payload_id, attempt=attempt)

    def again(self, found: Execution) -> Execution | None:
        """An execution as it is now; None if it is gone."""
        return self.home.state_db.execution(found.execution_id, found.payload_id)

    def describe(self, found: Execution) -> dict[str, Any]:
        """An execution in words and URLs, its bodies left out."""
        return query.describe(self.home, found)

    def definition(self, workflow: str) -> dict[str, Any]:
        """The state machine of a workflow, its tasks filled in; NotFound if there is none of that name."""
        found: dict[str, Any] = decode(self.home.workflows.definition(workflow))
        return found

    def history(self, found: Execution) -> list[dict[str, Any]]:
        """The events of an execution as Step Functions lists them."""
        return query.history(self.home, found)

    def logs(self, found: Execution) -> list[AttemptLog]:
        """What the tasks of an execution printed, oldest attempt first."""
        return query.logs(self.home, found)

    def quarantined(self, limit: int | None = None) -> list[Kept]:
        """Messages that were no payload, newest first."""
        return self.home.queue.quarantined(sys.maxsize if limit is None else limit)

    def requeue(self, names: Collection[str]) -> set[str]:
        """Queue messages in quarantine again as they are; gives the names of those that were there."""
        return self.home.queue.requeue(names, self.home.clock())

    def discard(self, names: Collection[str]) -> set[str]:
        """Remove messages from quarantine for good; gives the names of those that were there."""
        return self.home.queue.discard(names)

    def abort(self, payload_id: str, reason: str = "aborted by an operator") -> Record:
        """Stop the running execution of a payload and give its record; NotFound, or NotRunning."""
        from cirrus.flow.abort import abort

        return abort(self.home, payload_id, reason)

    def abort_all(self, **filters: Unpack[Filters]) -> Iterator[Record]:
        """Stop the running executions of the records that match; gives the record of each that was stopped.

        What has ended in the meantime is left alone.
        """
        from cirrus.flow.abort import NotRunning

        chosen = self.select(**filters)
        running = replace(chosen, states=chosen.states or tuple(RUNNING))
        for found in list(query.records(self.home, running)):
            with suppress(NotRunning, Fenced):
                yield self.abort(found.payload_id)

    def forget(self, payload_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Delete records with all that belongs to them: what became of each, `forgotten`, `running` or `unknown`."""
        return forget(self.home, payload_ids)

    # ---------------------------------------------------------------- campaigns

    def preview_rerun(self, options: Options | None = None, **filters: Unpack[Filters]) -> Preview:
        """What `rerun` would do: how many records in which state, some of them, and which parameters would change."""
        return campaigns.preview(self.home, self.select(**filters), options or Options())

    def rerun(
        self,
        options: Options | None = None,
        *,
        name: str | None = None,
        about: str = "",
        limit: int | None = None,
        **filters: Unpack[Filters],
    ) -> Report:
        """Freeze the records that match and have ended as a campaign, which control processes run from now on.

        `name` is its time by default; StoreError if there is one of that name.
        """
        query, own = self.select(**filters), name or iso(self.home.clock())[:23].replace(":", "").replace(".", "-")
        return campaigns.start(self.home, query, options or Options(), name=own, about=about, limit=limit)

    def campaigns(self, limit: int = 100) -> list[Campaign]:
        """The campaigns, newest first."""
        return self.home.campaigns.all(limit)

    def campaign(self, name: str) -> Report:
        """How far a campaign has come; NotFound if there is none of that name."""
        return campaigns.report(self.home, name)

    def move_campaign(self, name: str, how: str) -> Report:
        """`pause`, `resume` or `cancel` a campaign; CannotMove where its state does not allow that."""
        return campaigns.move(self.home, name, how)

    # ---------------------------------------------------------------- tasks

    @property
    def tasks(self) -> dict[str, TaskSpec]:
        """The tasks that workflows may name: the project's and the built-in ones."""
        return app.task_specs(self.project)

    def functions(self) -> list[dict[str, Any]]:
        """The functions of a deployment on AWS, by name: what runs them, and their limits."""
        return sorted(app.open_functions(self.deployment).all(), key=lambda one: str(one["name"]))

    def _call(self, name: str, payload: bytes) -> Outcome:
        started = self.home.clock() / SECOND
        called = app.open_functions(self.deployment).call(name, payload)
        ended = self.home.clock() / SECOND
        return Outcome("invoke", called.output, called.error, called.cause, called.log, started, ended)

    def parameters(self, workflow: str) -> dict[str, Any]:
        """The JSON schema of the parameters (`tasks`) of a workflow: the union of what its tasks declare."""
        return self.home.parameters.schema(self.home.workflows.definition(workflow))

    def invoke(self, task: str, payload: Payload, timeout: float | None = None) -> Outcome:
        """Call one task in a worker process, outside of any workflow; nothing is recorded. `timeout` in seconds.

        On AWS it is a function of the deployment, Cirrus's own or a task's, which has its own time limit. NotFound if
        there is none of that name. What it raises is in the outcome.
        """
        if self.deployment.home == "aws":
            return self._call(task, _text(payload))
        if task not in self.tasks:
            raise NotFound("task", task, f"there are: {', '.join(sorted(self.tasks))}")
        compute = app.open_compute(self.project, self.deployment, workers=1)
        try:
            compute.submit([Attempt("invoke", task, _text(payload), timeout)])
            while not (found := compute.collect(1.0)):
                pass
            return found[0]
        finally:
            compute.close()


def _text(payload: Payload) -> bytes:
    if isinstance(payload, bytes):
        return payload
    return payload.encode() if isinstance(payload, str) else encode(payload)
