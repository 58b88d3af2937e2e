"""Values of settings: how each kind is read from TOML; ValueError says what was expected."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cirrus.adapters.objects.location import names_store
from cirrus.core.bucket import SOURCES, Reference
from cirrus.core.instant import parse_duration
from cirrus.core.state import ENDED, State
from cirrus.core.throttle import Rate, parse_rate

_HANDLER = re.compile(r"[A-Za-z_][\w]*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]I?B)", re.IGNORECASE)
_UNITS = {
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}IB": 1024**power for power, letter in enumerate("KMGT", 1)},
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a table: how its value is read (ValueError says what was expected), default, and help.

    The value of a `hidden` one is not shown in messages: it may be a secret that stands where its reference should.
    """

    name: str
    read: Callable[[Any], Any]
    default: Any
    help: str
    hidden: bool = False


def text(value: Any) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("a string that is not empty")
    return value


def count(value: Any) -> int:
    """A whole number from 1 up."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("a whole number from 1 up")
    return value


def duration(value: Any) -> float:
    """Seconds."""
    try:
        seconds = (
            float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else parse_duration(value)
        )
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise ValueError("a duration such as '15m', '30s' or '1.5h', or a number of seconds")
    return seconds


def ages(value: Any) -> dict[str, float]:
    """Seconds by end state; one duration is that of all."""
    try:
        ages = value if isinstance(value, dict) else dict.fromkeys(sorted(ENDED), value)
        found = {str(State.parse(name)): duration(age) for name, age in ages.items()}
    except ValueError:
        found = {}
    if not found or not ENDED.issuperset(found):
        raise ValueError(f"a duration such as '30d', or a table of durations by end state ({', '.join(sorted(ENDED))})")
    return found


def size(value: Any) -> int:
    """Bytes, from a million up."""
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else value
    if isinstance(size, bool) or not isinstance(size, int) or size < 1_000_000:
        raise ValueError("a size from 1MB up, such as '512MB', '2GB' or '1.5GiB', or a number of bytes")
    return size


def rate(value: Any) -> Rate:
    """A rate."""
    try:
        return parse_rate(value)
    except (TypeError, ValueError):
        raise ValueError("a rate such as '10/s', '600/m' or '1.5/h'") from None


def flag(value: Any) -> bool:
    """A truth: true or false."""
    if value is not True and value is not False:
        raise ValueError("true or false")
    return value


def handler(value: Any) -> str:
    """The name of a class or function."""
    if not isinstance(value, str) or not _HANDLER.fullmatch(value):
        raise ValueError("'module:Name', the name of a stactask Task class or of a function")
    return value


def command(value: Any) -> tuple[str, ...]:
    """The words of a program."""
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise ValueError("an array of words, the program first")
    missing = [place for place in ("{input}", "{output}") if not any(place in word for word in value)]
    if missing:
        raise ValueError(f"an array of words that holds {' and '.join(missing)}")
    return tuple(value)


def texts(value: Any) -> dict[str, str]:
    """Strings by name."""
    if not isinstance(value, dict) or not all(isinstance(member, str) for member in value.values()):
        raise ValueError('a table of strings, such as { GDAL_CACHEMAX = "512" }')
    return dict(value)


def home(value: Any) -> str:
    """The name of a home."""
    if value not in ("local", "cluster", "aws"):
        raise ValueError("'local', 'cluster' or 'aws'")
    return str(value)


def store(value: Any) -> str:
    """A folder, or the URL of a store."""
    place = text(value)
    if "://" in place and not place.startswith("file://") and not names_store(place):
        raise ValueError("a folder or the URL of a store that can be written to, such as s3://bucket/prefix,")
    return place


def webhook(value: Any) -> str:
    """The URL of a webhook."""
    if not isinstance(value, str) or not re.match(r"https?://[^/\s]", value):
        raise ValueError("a URL that begins with https:// or http://")
    return value


def stores(value: Any) -> dict[str, str]:
    """Stores by name."""
    return {name: store(place) for name, place in texts(value).items()}


def store_or_none(value: Any) -> str | None:
    """A store, or None for false."""
    if value is False:
        return None
    try:
        return store(value)
    except ValueError as error:
        raise ValueError(f"{error}, or false for none,") from None


def names(value: Any) -> tuple[str, ...]:
    """Names, each once."""
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ValueError('an array of names, such as ["scenes"]')
    return tuple(dict.fromkeys(value))


def endpoint(value: Any) -> str:
    """The URL of a service, without user and password."""
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", value):
        raise ValueError("an http or https URL without user and password")
    return value.rstrip("/")


def reference(value: Any) -> Reference:
    """Where a secret is kept."""
    source, mark, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if source not in SOURCES or (mark and not name) or (not name and source in ("env", "file")):
        raise ValueError(
            "a reference (env:PREFIX, file:PATH, keyring:NAME, secretsmanager or secretsmanager:NAME), never the secret"
        )
    if source == "env" and not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise ValueError("env: and the beginning of the names of variables")
    return Reference(source, name)
