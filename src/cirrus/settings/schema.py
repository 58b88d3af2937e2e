"""The JSON Schema of `cirrus.toml`, for editors; made from the table of settings.

It knows the keys, their types and meanings. What needs the project's files, or two keys at once, is left to the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cirrus.core.payload_schema import DIALECT
from cirrus.settings import SECTIONS, values
from cirrus.settings.values import Setting

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_DURATION = {"type": ["string", "number"]}
_SHAPES: dict[Callable[[Any], Any], dict[str, Any]] = {
    values.text: _TEXT,
    values.count: {"type": "integer", "minimum": 1},
    values.duration: _DURATION,
    values.ages: {"anyOf": [_DURATION, {"type": "object", "additionalProperties": _DURATION, "minProperties": 1}]},
    values.size: {"type": ["string", "integer"]},
    values.rate: {"type": "string", "pattern": "/"},
    values.flag: {"type": "boolean"},
    values.handler: {"type": "string", "pattern": "^[^:]+:[^:]+$"},
    values.command: {"type": "array", "minItems": 1, "items": {"type": "string"}},
    values.texts: _TEXTS,
    values.home: {"enum": ["local", "cluster", "aws"]},
    values.store: _TEXT,
    values.webhook: {"type": "string", "pattern": "^https?://"},
    values.stores: _TEXTS,
    values.store_or_none: {"anyOf": [_TEXT, {"const": False}]},
    values.names: {"type": "array", "items": _TEXT},
    values.endpoint: {"type": "string", "pattern": "^https?://"},
    values.reference: {"type": "string", "pattern": "^(?:env|file|keyring|secretsmanager)(?::|$)"},
}


def project_schema() -> dict[str, Any]:
    """The schema, in the dialect 2020-12."""
    deployment = _table(SECTIONS["deployments.<name>"])
    deployment["properties"]["retention"] = _table(SECTIONS["deployments.<name>.retention"])
    tables = {
        "project": _table(SECTIONS["project"]),
        **{name: _named(_table(SECTIONS[f"{name}.<name>"])) for name in ("tasks", "buckets", "workflows")},
        "collections": _named(_table(SECTIONS["collections.<name>"])),
        "deployments": _named(deployment),
    }
    tables["tasks"]["additionalProperties"]["oneOf"] = [{"required": ["handler"]}, {"required": ["command"]}]
    return {
        "$schema": DIALECT,
        "title": "cirrus.toml",
        "description": "A Cirrus project: its tasks, and where it runs.",
        "type": "object",
        "properties": tables,
        "additionalProperties": False,
    }


def shape(setting: Setting) -> dict[str, Any]:
    """The JSON Schema of a setting's value."""
    found = getattr(setting.read, "shape", None)
    return dict(_SHAPES[setting.read] if found is None else found)


def _table(settings: Sequence[Setting]) -> dict[str, Any]:
    properties = {one.name: {"description": one.help, **_default(one), **shape(one)} for one in settings}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _default(setting: Setting) -> dict[str, Any]:
    known = setting.default
    plain = list(known) if isinstance(known, tuple) else known
    return {} if plain is None or plain in ([], {}) else {"default": plain}


def _named(table: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": table}
