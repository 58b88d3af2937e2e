"""What a process that runs tasks knows of buckets: what opens those of its tasks, and what must not leave it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from cirrus.core.bucket import Access
from cirrus.core.grants import ANY, FILE, NAMES
from cirrus.core.scrub import Scrubber, telling
from cirrus.entry.failure import TaskFailure
from cirrus.errors import StoreError
from cirrus.tasks.access import granted, refusal


@dataclass(frozen=True, slots=True)
class Guard:
    """`masks` takes out of messages what no log shows; an output that holds what `refuses` knows is refused."""

    masks: Scrubber = field(default_factory=Scrubber)
    refuses: Scrubber = field(default_factory=Scrubber)

    def check(self, task: str, output: bytes) -> bytes:
        """The output; TaskFailure if there is a secret in it."""
        if self.refuses and self.refuses.finds(output):
            place = secret_in(orjson.loads(output), self.refuses) or "output"
            raise TaskFailure(
                "Cirrus.SecretInOutput",
                f"task {task!r} returned the secret of a bucket at {place}: what a task returns is stored and"
                " published, so this output was dropped; take the secret out of it",
            )
        return output


def guard(accesses: Iterable[Access]) -> Guard:
    """The guard of a process with this environment and these accesses."""
    known = list(accesses)
    masked = {value for access in known for value in access.masked()}
    return Guard(
        Scrubber({*masked, *telling(os.environ)}), Scrubber(value for access in known for value in access.secrets())
    )


def here() -> tuple[dict[str, Access], Callable[[str], Access | None] | None]:
    """The accesses that this process was given, and what opens buckets with them; None where none are declared."""
    opened = granted()
    return opened, opener(opened, os.environ.get(NAMES, "")) if FILE in os.environ else None


def opener(opened: Mapping[str, Access], names: str) -> Callable[[str], Access | None]:
    """The access of a bucket by its name; StoreError for one that is not among `names`."""

    def opens(name: str) -> Access | None:
        if name not in opened and ANY not in names.split():
            raise StoreError(refusal(name))
        return opened.get(name)

    return opens


def secret_in(value: Any, secrets: Scrubber, path: str = "output") -> str | None:
    """Where in a JSON value a secret stands."""
    if isinstance(value, str):
        return path if secrets.finds(value.encode("utf-8", "surrogatepass")) else None
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in inner:
        if isinstance(key, str) and secrets.finds(key.encode("utf-8", "surrogatepass")):
            return f"a key of {path}"
        place = f"{path}.{key}" if isinstance(key, str) else f"{path}[{key}]"
        if found := secret_in(member, secrets, place):
            return found
    return None
