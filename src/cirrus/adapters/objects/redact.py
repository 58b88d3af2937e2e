"""Keeps secrets out of messages: passwords and signatures in URLs, keys, and what the environment holds as
secret.
"""

from __future__ import annotations

import os
import re

from cirrus.core.scrub import Scrubber, telling

_USER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s:@]*:[^/\s@]*@")
_QUERY = re.compile(r"(?P<url>[A-Za-z][A-Za-z0-9+.-]*://[^\s?'\"]*)\?[^\s'\",)}]+")
_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b")


def redact(text: str) -> str:
    """`text` with every secret in it replaced by `***`."""
    text = _USER.sub(r"\g<scheme>***@", text)
    text = _QUERY.sub(r"\g<url>?***", text)
    text = _KEY.sub("***", text)
    return Scrubber(telling(os.environ)).text(text)
