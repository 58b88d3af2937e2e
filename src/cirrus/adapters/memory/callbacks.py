"""The callbacks port in memory."""

from __future__ import annotations

from collections.abc import Collection

from cirrus.adapters.memory.store import Store
from cirrus.errors import NotFound
from cirrus.ports.callbacks import Answer, Waiting

_HEARTBEAT = "heartbeat"


class MemoryCallbacks:
    """Waiting tasks and their answers in a Store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self, waiting: Waiting) -> bool:
        """A task begins to wait; False if it waited already and its call was made (after a takeover)."""
        with self._store.writing() as tables:
            if waiting.token in tables.waiting:
                return waiting.token not in tables.called
            tables.waiting[waiting.token] = waiting
        return True

    def called(self, token: str) -> None:
        """The call that hands out the token was made."""
        with self._store.writing() as tables:
            tables.called[token] = None

    def answer(self, token: str, kind: str, output: bytes | None, error: str | None, cause: str | None) -> None:
        """Keep an answer. NotFound if no task waits for it (any more)."""
        with self._store.writing() as tables:
            found = tables.waiting.get(token)
            if found is None:
                raise NotFound("waiting task of token", token, "it was answered, timed out, or never was")
            tables.answers.append(Answer(found.execution_id, found.place, kind, output, error, cause))
            if kind != _HEARTBEAT:
                del tables.waiting[token]

    def take(self, owner: str) -> list[Answer]:
        """The answers for executions of `owner`, oldest first; they are gone from here."""
        with self._store.writing() as tables:
            mine = [one for one in tables.answers if tables.owned.get(one.execution_id) == owner]
            tables.answers = [one for one in tables.answers if one not in mine]
        return mine

    def next_activity(self, activity: str) -> Waiting | None:
        """The oldest task of an activity that no worker has been given; it is given now."""
        with self._store.writing() as tables:
            for token, waiting in tables.waiting.items():
                if waiting.activity == activity and token not in tables.called:
                    tables.called[token] = None
                    return waiting
        return None

    def close(self, execution_id: str, places: Collection[str] | None = None) -> None:
        """Tasks of an execution wait no longer: those of `places`, or all."""
        with self._store.writing() as tables:
            for token, waiting in list(tables.waiting.items()):
                if waiting.execution_id == execution_id and (places is None or waiting.place in places):
                    del tables.waiting[token]
