"""api: what dashboards ask: the workflows, counts per state, pages of records, one record, statistics by time.

Routes and shapes are those of existing deployments; records also carry the old names `payload`, `catid` and `catalog`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from cirrus.core.instant import iso, parse_moment
from cirrus.core.jsontext import encode
from cirrus.core.keys import input_key, output_key
from cirrus.core.payload_id import PayloadId, parse
from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.deployed import Deployed
from cirrus.entry.lambdas.opened import deployed, log
from cirrus.errors import ConfigError, InvalidPayload, NotFound, StoreError
from cirrus.flow.home import Home
from cirrus.flow.query import record
from cirrus.flow.stats import Period, stats
from cirrus.ports.state_db import Query

HEADERS = {
    "Content-Type": "application/json",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Credentials": "true",
}
# What went wrong → status, the most specific first.
STATUS: tuple[tuple[type[BaseException], int], ...] = (
    (NotFound, 404),
    (ConfigError, 404),
    (StoreError, 503),
    (InvalidPayload, 400),
    (ValueError, 400),
)
MOST = 100_000
_PAGE = 1_000
_SORTS = {"updated": "updated", "state_updated": "state", "default": "id"}


def lambda_handler(event: Any, _context: Any) -> dict[str, Any]:
    """What Lambda calls."""
    return handle(deployed(), event)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: the parts of its path, its query, and the URL of the API's root."""

    parts: tuple[str, ...]
    query: Mapping[str, str]
    root: str


def handle(where: Deployed, event: Any) -> dict[str, Any]:
    """Answer one request of an HTTP or REST API."""
    try:
        return _response(200, _answer(where, _asked(event)))
    except tuple(kind for kind, _ in STATUS) as error:
        status = next(status for kind, status in STATUS if isinstance(error, kind))
        log(where, "ERROR" if status >= 500 else "INFO", "api.refused", status=status, reason=str(error))
        return _response(status, {"error": str(error)})


def _response(status: int, body: Any) -> dict[str, Any]:
    return {"statusCode": status, "headers": HEADERS, "body": encode(body).decode()}


def _asked(event: Mapping[str, Any]) -> Asked:
    context = event.get("requestContext") or {}
    path = str(event.get("path") or event.get("rawPath") or "")
    parts = [unquote(part) for part in path.split("/") if part]
    stage = context.get("stage")
    if parts and parts[0] == stage:
        parts = parts[1:]
    domain = context.get("domainName", "")
    base = f"https://{domain}/" + (f"{stage}/" if stage and stage != "$default" else "")
    return Asked(tuple(parts), event.get("queryStringParameters") or {}, base if domain else "")


def _answer(where: Deployed, asked: Asked) -> Any:
    home = where.home()
    if not asked.parts:
        return _root(where, home, asked)
    if asked.parts == ("stats",):
        return _statistics(where, home)
    path = "/".join(asked.parts)
    collections, mark, rest = path.partition("/workflow-")
    if not mark:
        raise NotFound("route", f"/{path}")
    workflow, _, itemids = rest.partition("/")
    group = PayloadId(collections, workflow, "x")
    if not itemids:
        return _summary(where, home, group, asked)
    if itemids == "items":
        return _items(where, home, group, asked)
    return item(where, home, record(home, str(parse(path))))


def _walk(home: Home) -> Any:
    """The ranges of the indexes of this home's state database: a deployment's has them, though the port does not."""
    state_db: Any = home.state_db
    return state_db.walk()


def _root(where: Deployed, home: Home, asked: Asked) -> Any:
    walk = _walk(home)
    name = where.variables.prefix.strip("-") or where.name
    links = [_link(asked.root, "home", "self")]
    for group in walk.groups(Query()):
        collections, _, workflow = group.rpartition("_")
        links.append(_link(f"{asked.root}{collections}/workflow-{workflow}", f"{collections} - {workflow}", "child"))
    if where.variables.data_bucket:
        links.append(_link(f"s3://{where.variables.data_bucket}/catalog.json", "STAC", "stac"))
    return {"id": f"{name}-state-api", "description": f"{name} State API", "links": links}


def _link(url: str, title: str, rel: str) -> dict[str, str]:
    return {"title": title, "rel": rel, "type": "application/json", "href": url}


def _statistics(where: Deployed, home: Home) -> Any:
    found = stats(home)
    shown = {"daily": ("day", 10), "hourly": ("hour", 19), "hourly_rolling": ("hour", 19)}
    told = {
        name: [_period(where, one, interval, length) for one in getattr(found, name)]
        for name, (interval, length) in shown.items()
    }
    return {"state_transitions": told}


def _period(where: Deployed, one: Period, interval: str, length: int) -> dict[str, Any]:
    states = [
        {"state": _word(where, state), "unique_count": one.states.get(state, 0), "count": one.states.get(state, 0)}
        for state in State
    ]
    return {"period": iso(one.begins)[:length], "states": states, "interval": interval}


def _summary(where: Deployed, home: Home, group: PayloadId, asked: Asked) -> Any:
    walk = _walk(home)
    limit, since = _number(asked, "limit", MOST), _since(home, asked)
    counts: dict[str, int | str] = {}
    for state in State:
        number = walk.number(group.collections_workflow, state, since, most=limit)
        counts[_word(where, state)] = number if number <= limit else f"{limit}+"
    return {"collections": group.collections, "workflow": group.workflow, "counts": counts}


def _items(where: Deployed, home: Home, group: PayloadId, asked: Asked) -> Any:
    state = asked.query.get("state")
    sort = asked.query.get("sort_index") or "updated"
    if sort not in _SORTS:
        raise ValueError(f"sort_index: one of {', '.join(_SORTS)} is expected, not {sort!r}")
    query = Query(
        collections_workflow=group.collections_workflow,
        states=(State.parse(state),) if state else (),
        since=_since(home, asked),
        sort=_SORTS[sort],
        ascending=bool(_number(asked, "sort_ascending", 0)),
    )
    limit = min(_number(asked, "limit", _PAGE), _PAGE)
    page = home.state_db.page(query, limit, _token(home, query, asked))
    found: dict[str, Any] = {"items": [item(where, home, one) for one in page.records]}
    return {**found, "nextkey": page.token} if page.token else found


def _token(home: Home, query: Query, asked: Asked) -> str | None:
    """Where a page begins: the token that was given, or behind the record whose id 2.x of the original gave instead."""
    given = asked.query.get("nextkey") or None
    if given is None or "/workflow-" not in given:
        return given
    token: str = _walk(home).token(query, record(home, given))
    return token


def item(where: Deployed, home: Home, found: Record) -> dict[str, Any]:
    """A record as dashboards know it."""
    parts = parse(found.payload_id)
    execution_id = found.execution_id
    ended = execution_id is not None and found.state is State.COMPLETED
    url = home.payloads.url(input_key(home.root, found.payload_id, execution_id)) if execution_id else None
    output = home.payloads.url(output_key(home.root, found.payload_id, str(execution_id))) if ended else None
    body = {
        "payload_id": found.payload_id,
        "collections": parts.collections,
        "workflow": parts.workflow,
        "items": parts.itemids,
        "state": _word(where, found.state),
        "created": iso(found.created),
        "updated": iso(found.updated),
        "claimed_at": iso(found.claimed_at) if found.claimed_at is not None else None,
        "payload": url,
        "executions": [home.arns.shown(parts.workflow, one) for one in found.executions],
        "outputs": list(found.outputs) or None,
        "last_error": found.last_error,
        "catid": found.payload_id,
        "catalog": url,
    }
    urls = {
        "input_payload_url": url,
        "output_payload_url": output,
    }  # 2.x of the original tells them where there are none
    return {name: value for name, value in body.items() if value is not None} | urls


def _word(where: Deployed, state: State) -> str:
    return str(where.vocabulary().good) if state is State.COMPLETED else str(state)


def _number(asked: Asked, name: str, default: int) -> int:
    text = asked.query.get(name)
    if text in {None, ""}:
        return default
    if not str(text).isdigit():
        raise ValueError(f"{name}: a whole number is expected, not {text!r}")
    return int(str(text))


def _since(home: Home, asked: Asked) -> int | None:
    text = asked.query.get("since")
    return parse_moment(text, home.clock()) if text else None
