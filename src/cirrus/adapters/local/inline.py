"""Attempts at inline tasks, which run in this process one after another, while their outcomes are collected."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol

from cirrus.adapters.local.backlog import Job
from cirrus.adapters.local.log_buffer import LogBuffer
from cirrus.core.grants import Grants
from cirrus.core.scrub import Scrubber
from cirrus.ports.compute import TaskSpec

HOST = "cirrus.entry.inline_host"
Result = tuple[bytes | None, str | None, str | None, float, float]


class Host(Protocol):
    """What runs the user's functions."""

    def run(self, task: str, payload: bytes, context: Mapping[str, str], log: LogBuffer) -> Result:
        """Run an attempt: its output, or error and cause; when it began and ended, in seconds since the epoch."""

    def close(self) -> None:
        """Forget what was imported."""


class Inline:
    """The inline attempts that wait; `environment` is what they find set, beside their context."""

    def __init__(
        self, specs: Mapping[str, TaskSpec], project: Path, environment: Mapping[str, str], grants: Grants | None
    ) -> None:
        self._specs = specs
        self._grants = grants
        self._project = project
        self._environment = environment
        self._jobs: deque[Job] = deque()
        self._host: Host | None = None

    def renew(self, specs: Mapping[str, TaskSpec], grants: Grants, scrubber: Scrubber) -> None:
        """Let attempts that wait have these buckets."""
        self._specs, self._grants = specs, grants
        for job in self._jobs:
            job.renew(scrubber)
        if self._host is not None:
            self._host.close()
            self._host = None

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job) -> None:
        """Take one in."""
        self._jobs.append(job)

    def first(self) -> Job | None:
        """The one whose turn it is; it stays until it is dropped, so that an interrupt does not lose it."""
        while self._jobs and self._jobs[0].withdrawn:
            self._jobs.popleft()
        return self._jobs[0] if self._jobs else None

    def drop(self, job: Job) -> None:
        """It has run."""
        if self._jobs and self._jobs[0] is job:
            self._jobs.popleft()

    def run(self, job: Job) -> Result:
        """Run one; raises nothing but KeyboardInterrupt."""
        if self._host is None:
            # By name, as the zygote is started: what runs users' code stands to the right of what calls for it.
            self._host = import_module(HOST).InlineHost(self._specs, self._project, self._environment, self._grants)
        attempt = job.attempt
        return self._host.run(attempt.task, attempt.payload, attempt.context, job.log)

    def close(self) -> None:
        """Drop everything."""
        self._jobs.clear()
        if self._host is not None:
            self._host.close()
