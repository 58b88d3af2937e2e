"""Names of functions, as the ARNs of functions and job definitions tell them."""

from __future__ import annotations

import re
from functools import lru_cache

_FUNCTION = re.compile(r"(?:.*:function:|.*:job-definition/)?([^:/]+)(?::[^:]*)?")


@lru_cache(1024)
def function_name(resource: str) -> str:
    """The task's name in the ARN or the name of a function or job definition."""
    found = _FUNCTION.fullmatch(resource)
    return found[1] if found else resource
