"""The JSON Schema of a payload, for editors and other programs; made from the tables that the validator obeys.

Rules: whatever `core.payload` accepts the schema accepts. What it refuses for the shape the schema refuses too; what
takes more than a shape is the validator's alone: expressions that do not parse, an id of another workflow, ids that
Items would give, depth and strictness of JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cirrus.core.definition import FIELDS, UPLOAD_FIELDS, Field
from cirrus.core.payload import ITEM_FIELDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_PART = rf"(?!\.{{1,2}}(?:/|$))[^/{_CONTROL}]+"
_PARTS = rf"{_PART}(?:/{_PART})*"
_ID = rf"^(?!.*/workflow-.*/workflow-){_PARTS}/workflow-[A-Za-z0-9-]+/{_PARTS}$"
_TEXT = {"type": "string", "minLength": 1}
_JSONPATH = {"type": "string", "pattern": r"\S"}
_UPLOAD = {"$ref": "#/$defs/upload_options"}

# What a field is where it is not null.
_SHAPES: dict[str, dict[str, Any]] = {
    "workflow": {"type": "string", "pattern": "^[A-Za-z0-9-]+$"},
    "description": {"type": "string"},
    "collections": _TEXT,
    "replace": {"type": "boolean"},
    "continue_from": {"type": "string"},
    "tasks": {"type": "object", "additionalProperties": {"type": "object"}},
    "workflow_options": {"type": "object"},
    "upload_options": _UPLOAD,
    "collection_matchers": {"type": "array", "items": {"$ref": "#/$defs/collection_matcher"}},
    "collection_options": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {"upload_options": {"anyOf": [_UPLOAD, {"type": "null"}]}},
        },
    },
    "chain_filter": _JSONPATH,
}
_UPLOAD_SHAPES: dict[str, dict[str, Any]] = {
    "path_template": {"type": "string", "minLength": 1, "not": {"pattern": r"(?:^|/)\.\.(?:/|$)"}},
    "public_assets": {"anyOf": [{"const": "ALL"}, {"type": "array", "items": {"type": "string"}}]},
    "headers": {"type": "object"},
    "s3_urls": {"type": "boolean"},
    "collections": {"type": "object", "additionalProperties": _TEXT},
}
_BOTH_COLLECTIONS = {
    "required": ["collection_matchers", "upload_options"],
    "properties": {
        "collection_matchers": {"type": "array", "minItems": 1},
        "upload_options": {
            "type": "object",
            "required": ["collections"],
            "properties": {"collections": {"type": "object", "minProperties": 1}},
        },
    },
}


def payload_schema() -> dict[str, Any]:
    """The schema, in the dialect 2020-12."""
    return {
        "$schema": DIALECT,
        "title": "Cirrus payload",
        "description": "Items to work on, and how to work on them; or an object that only tells where these are.",
        "type": "object",
        "if": {"required": ["url"]},
        "then": {
            "properties": {"url": {"type": "string", "description": "the payload is the document at this URL"}},
            "maxProperties": 1,
        },
        "else": {"$ref": "#/$defs/payload"},
        "$defs": {
            "payload": _payload(),
            "item": _item(),
            "process_definition": _definition(),
            "upload_options": {"type": "object", "properties": _properties(UPLOAD_FIELDS, _UPLOAD_SHAPES)},
            "collection_matcher": _matcher(),
        },
    }


def _payload() -> dict[str, Any]:
    one = {"$ref": "#/$defs/process_definition"}
    branches = {"type": "array", "minItems": 1, "items": one, "description": "a branch: one payload for each of these"}
    return {
        "properties": {
            "type": {"const": "FeatureCollection"},
            "id": {"anyOf": [{"type": "string", "pattern": _ID}, {"type": "null"}]},
            "features": {"type": "array", "items": {"$ref": "#/$defs/item"}},
            "process": {
                "description": "what runs, and what follows it; a bare object is read as an array of one",
                "anyOf": [
                    one,
                    {"type": "array", "minItems": 1, "prefixItems": [one], "items": {"anyOf": [one, branches]}},
                ],
            },
        },
        "required": ["process"],
        "anyOf": [
            {"required": ["id"], "properties": {"id": {"type": "string"}}},
            {"required": ["features"], "properties": {"features": {"minItems": 1}}},
        ],
    }


def _item() -> dict[str, Any]:
    names: dict[type, str] = {str: "string", dict: "object", list: "array"}
    parts = {name: {"type": [names[kind], "null"]} for name, kind, _ in ITEM_FIELDS}
    identity = {"type": "string", "pattern": rf"^[^{_CONTROL}]+$"}
    return {
        "description": "a STAC Item, or a part of one: all that it must have is an id",
        "type": "object",
        "properties": {"id": identity, **parts},
        "required": ["id"],
    }


def _definition() -> dict[str, Any]:
    properties = _properties(FIELDS, _SHAPES)
    properties["workflow"] = {**_SHAPES["workflow"], "description": properties["workflow"]["description"]}
    return {"type": "object", "properties": properties, "required": ["workflow"], "not": _BOTH_COLLECTIONS}


def _properties(fields: Sequence[Field], shapes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {one.name: {"description": one.meaning, "anyOf": [shapes[one.name], {"type": "null"}]} for one in fields}


def _matcher() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"type": {"enum": ["jsonpath", "catch_all"]}, "collection_name": _TEXT},
        "required": ["type", "collection_name"],
        "if": {"properties": {"type": {"const": "jsonpath"}}},
        "then": {"properties": {"pattern": _JSONPATH}, "required": ["pattern"]},
    }
