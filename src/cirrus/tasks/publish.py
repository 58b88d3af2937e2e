"""publish: write each Item to its place, with its links and times right, and nothing else of it changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeVar

from stactask import Task
from stactask.exceptions import InvalidInput

from cirrus.core import path_template
from cirrus.core.publication import LINEAGE, PROCESSING, SOFTWARE
from cirrus.core.sources import GEOJSON, hrefs_of
from cirrus.errors import NotFound, UploadError
from cirrus.ports.objects import Objects
from cirrus.tasks import kit, parameters, validation
from cirrus.tasks.errors import ItemError
from cirrus.tasks.kit import identity

_AT_ONCE = 8
_OWN_LINKS = ("self", "canonical")

Item = dict[str, Any]
_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, slots=True)
class Placed:
    """An Item and the absolute URL or path it is written to."""

    item: Item
    url: str


class Publish(Task):
    """Writes Items to `<path_template>/<id>.json`.

    Parameters: `path_template` (else the upload options' of the Item's collection), `validate` (true: against
    the STAC core schema, where the validator is installed), `derived_from` (true: link to where the Item came from: its
    earlier `self`, and the Items that the execution was given), `lineage` (true: say with the processing extension
    which workflow, payload and software made the Item).
    """

    name = "publish"
    description = "Write STAC Items to their place"
    version = "1.0.0"
    writes_items = True

    def process(self, **given: Any) -> list[Item]:
        """The Items as they were published; nothing is written unless every one of them can be."""
        options = _Options.of(given, self.payload.workflow_options)
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        Task.assign_collections(self)
        placed = [self._placed(item, options) for item in self.payload.items_as_dicts]
        _refuse_collisions(placed)
        store = kit.objects()
        earlier = _map(lambda one: _earlier(store, one.url), placed) if self._upload else [None] * len(placed)
        final = [
            Placed(_finished(one, before, now, options), one.url) for one, before in zip(placed, earlier, strict=True)
        ]
        if options.validate:
            _refuse_invalid([one.item for one in final])
        if self._upload:
            encoded = [(one.url, _encoded(one.item)) for one in final]
            _map(lambda one: store.put(*one, GEOJSON), encoded)
        else:
            self.logger.warning("Skipping upload of Items")
        return [one.item for one in final]

    def assign_collections(self) -> None:
        """Nothing: collections were assigned before the Items were written, and what is written stays."""

    def _post_process_item(self, item: Item) -> Item:
        return item

    def _placed(self, item: Item, options: _Options) -> Placed:
        collection = identity(item)
        chosen = self.payload.get_collection_upload_options(collection)
        template = options.path_template or chosen.get("path_template", path_template.DEFAULT)
        if not isinstance(template, str):
            raise InvalidInput(f"upload_options.path_template must be a string, not {template!r}")
        place = path_template.resolve(template.rstrip("/") + "/${id}.json", item)
        return Placed(item, kit.locate(place))


@dataclass(frozen=True, slots=True)
class _Options:
    path_template: str | None
    validate: bool
    derived_from: bool
    lineage: bool

    @classmethod
    def of(cls, given: Mapping[str, Any], shared: Mapping[str, Any]) -> _Options:
        parameters.known(given, ("path_template", "validate", "derived_from", "lineage"), shared)
        template = given.get("path_template")
        if template is not None:
            try:
                path_template.variables(parameters.text("path_template", template))
            except ValueError as error:
                raise InvalidInput(f"parameter 'path_template' does not parse: {error}") from None
        return cls(
            template,
            parameters.flag("validate", given.get("validate", True)),
            parameters.flag("derived_from", given.get("derived_from", True)),
            parameters.flag("lineage", given.get("lineage", True)),
        )


def _refuse_collisions(placed: Sequence[Placed]) -> None:
    identities: set[tuple[str | None, str]] = set()
    places: dict[str, str] = {}
    for one in placed:
        collection, name = one.item.get("collection"), one.item["id"]
        if (collection, name) in identities:
            raise ItemError(name, [f"id: twice in this payload, in collection {collection!r}"])
        if one.url in places:
            raise ItemError(name, [f"path_template: {one.url} is the place of Item {places[one.url]!r} too"])
        identities.add((collection, name))
        places[one.url] = name


def _refuse_invalid(items: Sequence[Item]) -> None:
    if not validation.available():
        return
    for item in items:
        if problems := validation.validate_item(item):
            raise ItemError(str(item.get("id")), problems)


def _earlier(store: Objects, url: str) -> Item | None:
    """The Item that stands there already, if any; UploadError where something else does."""
    try:
        found = json.loads(store.get(url))
    except NotFound:
        return None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("type") != "Feature":
        raise UploadError(url, "what stands there is no STAC Item; it is not overwritten")
    return found


def _finished(placed: Placed, earlier: Item | None, now: str, options: _Options) -> Item:
    item = _with_lineage(placed.item) if options.lineage else placed.item
    before = (earlier or {}).get("properties") or {}
    created = before.get("created") or before.get("updated") or now
    properties = {**(item.get("properties") or {}), "created": created, "updated": now}
    return {**item, "properties": properties, "links": _links(item, placed.url, options.derived_from)}


def _with_lineage(item: Item) -> Item:
    """The Item with what made it, if this runs as a task of an execution and nothing else is said there."""
    told = kit.lineage(str(item.get("id")))
    properties = item.get("properties") or {}
    said = properties.get(LINEAGE)
    if told is None or (said is not None and not str(said).startswith(kit.LINEAGE_BEGINS)):
        return item
    extensions = item.get("stac_extensions") or []
    if not any("/processing/" in str(url) for url in extensions):
        extensions = [*extensions, PROCESSING]
    software = {**(properties.get(SOFTWARE) or {}), Publish.name: Publish.version}
    return {**item, "stac_extensions": extensions, "properties": {**properties, SOFTWARE: software, LINEAGE: told}}


def _links(item: Item, url: str, derived_from: bool) -> list[dict[str, Any]]:
    collection = item.get("collection")
    given = item.get("links") or []
    kept = [link for link in given if link.get("rel") not in _OWN_LINKS and not _stale(link, collection)]
    links = [
        {"rel": "self", "href": url, "type": GEOJSON},
        {"rel": "canonical", "href": url, "type": GEOJSON},
        *kept,
    ]
    if collection is not None and not any(link.get("rel") == "collection" for link in kept):
        links.append({"rel": "collection", "href": kit.collection_href(collection), "type": "application/json"})
    source = next((link.get("href") for link in given if link.get("rel") == "self"), None)
    known = {url, *(link.get("href") for link in kept if link.get("rel") == "derived_from")}
    came_from = [*([source] if source else []), *hrefs_of(str(item.get("id")), kept, kit.sources())]
    new = [href for href in dict.fromkeys(came_from) if href not in known] if derived_from else []
    return [*links, *({"rel": "derived_from", "href": href, "type": GEOJSON} for href in new)]


def _stale(link: Mapping[str, Any], collection: str | None) -> bool:
    """Whether a collection link names another collection than the Item now has."""
    if link.get("rel") != "collection":
        return False
    return collection is None or collection not in str(link.get("href", "")).split("/")


def _encoded(item: Item) -> bytes:
    try:
        return json.dumps(item, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        raise ItemError(item["id"], [f"{_not_finite(item)}: NaN and infinity are not in JSON"]) from None


def _not_finite(value: Any, field: str = "") -> str | None:
    """The field of the first number that is not finite."""
    if isinstance(value, float):
        return None if isfinite(value) else field
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = (_not_finite(part, f"{field}.{key}" if field else str(key)) for key, part in parts)
    return next((one for one in found if one), None)


def _map(work: Callable[[_In], _Out], over: Sequence[_In]) -> list[_Out]:
    """The answers in order; stores answer slowly, so several are asked at once."""
    if len(over) < 2:
        return [work(one) for one in over]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, over))
