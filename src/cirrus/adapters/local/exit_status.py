"""How a process ended, in words."""

from __future__ import annotations

import signal


def ended(code: int) -> str:
    """In words: `code` as subprocess gives it, negative for a signal."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"was killed by signal {-code}"
    hint = "; the kernel does that when memory runs out" if name == "SIGKILL" else ""
    return f"was killed by signal {-code} ({name}{hint})"
