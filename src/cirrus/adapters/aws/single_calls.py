"""The unit of work on AWS: there is none over several calls, and the ports allow for that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class SingleCalls:
    """Every call of a port commits by itself."""

    @contextmanager
    def group(self) -> Iterator[None]:
        """Nothing: what was written before an error stays."""
        yield
