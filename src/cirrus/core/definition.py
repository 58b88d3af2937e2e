"""Process definitions: what a payload says of how to work on its Items, checked before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cirrus.core.collection import as_jsonpath
from cirrus.core.item_filter import check_filter, check_path
from cirrus.core.payload_id import WORKFLOW_NAME
from cirrus.errors import InvalidPayload

Check = Callable[[str, Any], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a process definition: what checks it, and what it means, as the reference says it."""

    name: str
    check: Check
    meaning: str


def check_process(process: list[Any]) -> list[str]:
    """Everything that is wrong with a list of process definitions; later elements may be branches."""
    if not process:
        return ["process: at least one process definition is expected"]
    problems = list(_definition("process[0]", process[0]))
    for n, element in enumerate(process[1:], 1):
        problems += _element(f"process[{n}]", element)
    return problems


def _element(where: str, element: Any) -> Iterator[str]:
    if not isinstance(element, list):
        yield from _definition(where, element)
        return
    if not element:
        yield f"{where}: a branch holds at least one process definition"
    for n, branch in enumerate(element):
        if isinstance(branch, list):
            yield f"{where}[{n}]: branches cannot be nested deeper than one level"
        else:
            yield from _definition(f"{where}[{n}]", branch)


def _definition(where: str, definition: Any) -> Iterator[str]:
    if not isinstance(definition, dict):
        yield f"{where}: a process definition (an object) is expected"
        return
    if definition.get("workflow") is None:
        yield f"{where}.workflow: is missing; the name of a workflow is expected"
    for name, value in definition.items():
        if value is not None and name in _CHECKS:
            yield from _CHECKS[name](f"{where}.{name}", value)
    upload = definition.get("upload_options")
    if definition.get("collection_matchers") and isinstance(upload, dict) and upload.get("collections"):
        yield f"{where}.collection_matchers: cannot be combined with upload_options.collections"


def _workflow(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, str) or not WORKFLOW_NAME.fullmatch(value):
        hint = "; '_' is not allowed: state keys split on it" if isinstance(value, str) and "_" in value else ""
        yield f"{where}: letters, digits and '-' are expected, not {value!r}{hint}"


def _text(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{where}: a string is expected, not {value!r}"


def _collections(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, str) or not value:
        yield f"{where}: a string that is not empty is expected, not {value!r}"


def _flag(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"{where}: true or false is expected, not {value!r}"


def _map(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: an object is expected, not {value!r:.80}"


def _map_of_maps(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: an object is expected, not {value!r:.80}"
        return
    for name, member in value.items():
        yield from _map(f"{where}.{name}", member)


def _upload_options(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: an object is expected, not {value!r:.80}"
        return
    for field in UPLOAD_FIELDS:
        if value.get(field.name) is not None:
            yield from field.check(f"{where}.{field.name}", value[field.name])


def _path_template(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, str) or not value:
        yield f"{where}: a template such as '${{collection}}/${{id}}' is expected, not {value!r}"
    elif ".." in value.split("/"):
        yield f"{where}: {value!r} leaves its root: '..' is not allowed"


def _patterns(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: an object (collection to pattern) is expected, not {value!r:.80}"
        return
    for name, pattern in value.items():
        yield from _pattern(f"{where}.{name}", pattern)


def _pattern(where: str, pattern: Any) -> Iterator[str]:
    """A regular expression on the Item's id, or a JSONPath, which begins with `$`."""
    if not isinstance(pattern, str) or not pattern:
        yield f"{where}: a regular expression on the Item's id, or a JSONPath, is expected, not {pattern!r}"
        return
    try:
        as_jsonpath(pattern)
        if not pattern.startswith("$"):
            re.compile(pattern)
    except re.error as error:
        yield f"{where}: {pattern!r} is no regular expression: {error}"
    except InvalidPayload as error:
        yield f"{where}: {error}"


def _public_assets(where: str, value: Any) -> Iterator[str]:
    names = isinstance(value, list) and all(isinstance(name, str) for name in value)
    if value != "ALL" and not names:
        yield f"{where}: a list of asset names or 'ALL' is expected, not {value!r:.80}"


def _collection_options(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: an object (collection to options) is expected, not {value!r:.80}"
        return
    for name, options in value.items():
        if not isinstance(options, dict):
            yield f"{where}.{name}: an object is expected, not {options!r:.80}"
        elif options.get("upload_options") is not None:
            yield from _upload_options(f"{where}.{name}.upload_options", options["upload_options"])


def _matchers(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where}: an array of matchers is expected, not {value!r:.80}"
        return
    for n, matcher in enumerate(value):
        yield from _matcher(f"{where}[{n}]", matcher)


def _matcher(where: str, matcher: Any) -> Iterator[str]:
    if not isinstance(matcher, Mapping):
        yield f"{where}: an object is expected, not {matcher!r:.80}"
        return
    if matcher.get("type") not in ("jsonpath", "catch_all"):
        yield f"{where}.type: 'jsonpath' or 'catch_all' is expected, not {matcher.get('type')!r}"
    if not isinstance(matcher.get("collection_name"), str) or not matcher["collection_name"]:
        yield f"{where}.collection_name: the name of a collection is expected"
    if matcher.get("type") == "jsonpath":
        yield from _parsed(f"{where}.pattern", matcher.get("pattern"), check_path)


def _chain_filter(where: str, value: Any) -> Iterator[str]:
    yield from _parsed(where, value, check_filter)


def _parsed(where: str, value: Any, check: Callable[[str], None]) -> Iterator[str]:
    if not isinstance(value, str) or not value.strip():
        yield f"{where}: a JSONPath expression is expected, not {value!r}"
        return
    try:
        check(value)
    except InvalidPayload as error:
        yield f"{where}: {error}"


FIELDS = (
    Field(
        "workflow",
        _workflow,
        "**required**: letters, digits and `-`; never `_`, which the keys of the state database split on",
    ),
    Field("description", _text, "free text"),
    Field("collections", _collections, "the first part of the derived id, instead of the Items' collections"),
    Field("replace", _flag, "`true`: run even if the payload is `COMPLETED` or `INVALID`"),
    Field(
        "continue_from",
        _text,
        "with `replace`: an earlier execution of this payload, whose finished steps are not run again; "
        "`rerun --from-failed-step` sets it",
    ),
    Field("tasks", _map_of_maps, "parameters by task name, for that task alone"),
    Field("workflow_options", _map, "parameters for every task; a task's own win"),
    Field("upload_options", _upload_options, "where outputs go: below"),
    Field(
        "collection_matchers",
        _matchers,
        'the collection of output Items, first match wins: `{"type": "jsonpath", "pattern": …, '
        '"collection_name": …}`, `{"type": "catch_all", "collection_name": …}`',
    ),
    Field(
        "collection_options",
        _collection_options,
        "by collection: its own `upload_options`, which replace the others whole",
    ),
    Field("chain_filter", _chain_filter, "which Items of the workflow before are taken: below"),
)
_CHECKS = {field.name: field.check for field in FIELDS}
UPLOAD_FIELDS = (
    Field("path_template", _path_template, "where an Item's files go: [path templates](path-template.md)"),
    Field("public_assets", _public_assets, "names of assets to upload for everyone to read, or `ALL` (S3 only)"),
    Field("headers", _map, "HTTP headers of the uploads"),
    Field("s3_urls", _flag, "`true`: assets in S3 get `s3://` hrefs rather than `https://`"),
    Field(
        "collections",
        _patterns,
        "an older way to say collections: name to a regular expression that is searched in the Item's "
        "id, or to a JSONPath (it begins with `$`), first match wins; not together with "
        "`collection_matchers`",
    ),
)
