"""What happens to a deployment, scenario by scenario: the same for the original and for ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cirrus.testing.builders import document, item
from tests.aws.original.stage import Stage
from tests.aws.scene import BUCKET

SCENARIOS: dict[str, Callable[[Stage], None]] = {}
WAIT = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}


def scenario(act: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """Add a scenario under its function's name; what is left at its end is seen."""
    SCENARIOS[act.__name__] = act
    return act


def payload(name: str = "a", workflow: Any = "w", **more: Any) -> dict[str, Any]:
    """A payload without an id."""
    return document(name, process=workflow, **more)


def identified(name: str = "a", workflow: Any = "w", **more: Any) -> dict[str, Any]:
    """A payload with the id that it gets."""
    first = workflow if isinstance(workflow, str) else workflow[0]["workflow"]
    return payload(name, workflow, **more) | {"id": f"scenes/workflow-{first}/{name}"}


def replacing(name: str = "a") -> dict[str, Any]:
    """A payload that is to run again."""
    return payload(name, [{"workflow": "w", "replace": True}])


def linked(one: dict[str, Any], *rels: str) -> dict[str, Any]:
    """An Item with links to itself."""
    return one | {"links": [{"rel": rel, "href": f"https://example.com/{rel}/{one['id']}.json"} for rel in rels]}


def caused(kind: str, message: str) -> dict[str, str]:
    """An error as Step Functions tells of one that a function raised."""
    return {"error": kind, "cause": json.dumps({"errorType": kind, "errorMessage": message})}


# ---------------------------------------------------------------- one payload, from queue to end


@scenario
def claimed_and_started(stage: Stage) -> None:
    stage.process(payload())
    stage.look()


@scenario
def succeeded(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified())
    stage.look()


@scenario
def published(stage: Stage) -> None:
    stage.process(payload())
    cloudy = item("cloudy", **{"eo:cloud_cover": 12.5, "created": "2025-01-01T00:00:00Z"})
    cloudy["properties"]["updated"] = "2025-01-01T00:00:00Z"
    changed = item("changed", created="2025-01-01T00:00:00Z", updated="2025-02-01T00:00:00Z")
    ranged = item("ranged", start_datetime="2025-01-01T00:00:00Z", end_datetime="2025-01-02T00:00:00Z")
    bare = item("bare", collection=None)
    del bare["bbox"]
    items = [linked(cloudy, "self", "canonical"), linked(changed, "self"), ranged, bare]
    stage.end(identified() | {"features": items})
    stage.look()


@scenario
def published_without_a_datetime(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified() | {"features": [item("a", datetime=None)]})
    stage.look()


@scenario
def published_in_three_dimensions(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified() | {"features": [item("a") | {"bbox": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}]})
    stage.look()


@scenario
def failed(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified(), "FAILED", **caused("KeyError", "'nothing'"))
    stage.look()


@scenario
def failed_with_a_text(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified(), "FAILED", error="States.Timeout", cause="the task took too long")
    stage.look()


@scenario
def failed_without_a_cause(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified(), "FAILED", error="Oops")
    stage.look()


@scenario
def invalid(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified(), "FAILED", **caused("stactask.exceptions.InvalidInput", "no such band"))
    stage.process(payload())
    stage.look()


@scenario
def invalid_by_its_bare_name(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified(), "FAILED", **caused("InvalidInput", "no such band"))
    stage.look()


@scenario
def aborted(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified(), "ABORTED")
    stage.look()


@scenario
def timed_out(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified(), "TIMED_OUT")
    stage.look()


@scenario
def failed_to_start(stage: Stage) -> None:
    stage.process(payload(workflow="none"), payload("b"))
    stage.look()


# ---------------------------------------------------------------- again


@scenario
def skipped_as_it_is_done(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified())
    stage.process(payload())
    stage.look()


@scenario
def skipped_as_it_runs(stage: Stage) -> None:
    stage.process(payload())
    stage.process(replacing())
    stage.look()


@scenario
def replaced(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified())
    stage.process(replacing())
    stage.look()


@scenario
def run_again_after_a_failure(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified(), "FAILED", **caused("KeyError", "x"))
    stage.process(payload())
    stage.end(identified())
    stage.look()


@scenario
def told_late_of_an_earlier_run(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified(), "FAILED", **caused("KeyError", "x"))
    stage.process(payload())
    stage.end(identified(), execution=0)
    stage.look()


@scenario
def told_twice_of_an_end(stage: Stage) -> None:
    stage.process(payload())
    stage.end(identified())
    stage.end(identified())
    stage.look()


@scenario
def twice_in_a_batch(stage: Stage) -> None:
    stage.process(payload(), payload(), payload("b"))
    stage.look()


# ---------------------------------------------------------------- how payloads come


@scenario
def by_url(stage: Stage) -> None:
    key = f"{stage.scene.root}/tmp/oversized/one.json"
    stage.scene.clients("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(payload()).encode())
    stage.process({"url": f"s3://{BUCKET}/{key}"})
    stage.look()


@scenario
def too_large_to_pass_on(stage: Stage) -> None:
    stage.process(payload(filler="x" * 130_000))
    stage.look()


@scenario
def from_a_topic(stage: Stage) -> None:
    stage.process({"Type": "Notification", "TopicArn": "arn:t", "Message": json.dumps(payload())})
    stage.look()


@scenario
def from_a_batch_job(stage: Stage) -> None:
    key = f"{stage.scene.root}/tmp/batch/one_out.json"
    stage.scene.clients("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(payload()).encode())
    stage.process({"JobName": "j", "Parameters": {"url": "s3://b/in.json", "url_out": f"s3://{BUCKET}/{key}"}})
    stage.look()


@scenario
def unreadable(stage: Stage) -> None:
    stage.process("{no json", payload())
    stage.look()


@scenario
def no_payload(stage: Stage) -> None:
    stage.process({"type": "FeatureCollection", "features": [item("a")], "process": [{}]}, payload())
    stage.look()


@scenario
def collections_of_its_own(stage: Stage) -> None:
    stage.process(document("b", "a", process=[{"workflow": "w", "collections": "mine"}]))
    stage.process(document(item("c", collection=None)))
    stage.look()


# ---------------------------------------------------------------- chains


@scenario
def chained(stage: Stage) -> None:
    chain = [{"workflow": "w"}, {"workflow": "w2", "tasks": {"t": {"n": 1}}}, {"workflow": "w3"}]
    stage.process(payload(workflow=chain))
    stage.end(identified(workflow=chain))
    stage.look()


@scenario
def chained_in_branches_with_filters(stage: Stage) -> None:
    some, none = "@.properties.cloud > 50", "@.properties.cloud > 500"
    branches = [{"workflow": "b1", "chain_filter": some}, {"workflow": "b2"}]
    chain = [{"workflow": "w"}, branches, {"workflow": "w3"}]
    stage.process(payload(workflow=chain))
    items = [item("a", cloud=90), item("b", cloud=10)]
    stage.end(identified(workflow=chain) | {"features": items})
    filtered = [{"workflow": "w"}, {"workflow": "b1", "chain_filter": none}]
    stage.process(payload("c", filtered))
    stage.end(identified("c", filtered) | {"features": items})
    stage.look()


# ---------------------------------------------------------------- what dashboards and operators ask


def five(stage: Stage) -> None:
    """Three payloads that are done, one that failed, one that runs."""
    for name in "abcde":
        stage.process(payload(name))
    for name in "abc":
        stage.end(identified(name) | {"features": [linked(item(name), "self")]})
    stage.end(identified("d"), "FAILED", **caused("KeyError", "x"))
    stage.scene.told()


@scenario
def asked_by_a_dashboard(stage: Stage) -> None:
    five(stage)
    group = "/scenes/workflow-w"
    catalog: dict[str, Any] = {"id": stage.scene.where.variables.prefix.strip("-"), "description": "d"}
    catalog["cirrus"] = {"workflows": {"scenes": ["w"]}}
    stage.scene.clients("s3").put_object(Bucket=BUCKET, Key="catalog.json", Body=json.dumps(catalog).encode())
    stage.api("/")
    stage.api(group)
    stage.api("/dev" + group, stage="dev")
    stage.api(group, limit="2")
    stage.api(group, since="1h")
    stage.api(f"{group}/items")
    for query in (
        {"state": "SUCCEEDED"},
        {"state": "FAILED", "since": "2 d"},
        {"limit": "2"},
        {"sort_ascending": "1"},
        {"sort_ascending": "1", "sort_index": "updated", "limit": "3"},
        {"sort_index": "state_updated"},
        {"sort_index": "default"},
        {"sort_ascending": "1", "nextkey": "scenes/workflow-w/b"},
        {"limit": "2", "nextkey": "scenes/workflow-w/c", "state": "SUCCEEDED"},
    ):
        stage.api(f"{group}/items", **query)
    for name in "ade":
        stage.api(f"{group}/{name}")
    stage.api(f"{group}/none")
    stage.api("/elsewhere")
    stage.api("/stats")


@scenario
def asked_by_an_operator(stage: Stage) -> None:
    five(stage)
    stage.point()
    one, group = "scenes/workflow-w/a", ("--collections-workflow", "scenes_w")
    manage = ("manage", "prod")
    stage.command("list-deployments")
    stage.command("mgmt", "prod", "show")
    stage.command(*manage, "get-state", one)
    stage.command(*manage, "get-input-payload", one)
    stage.command(*manage, "get-output-payload", one)
    stage.command(*manage, "get-execution", "--payload-id", one)
    stage.command(*manage, "get-execution-input", "--payload-id", one)
    stage.command(*manage, "get-execution-output", "--payload-id", one)
    stage.command(*manage, "get-workflow-definition", "w")
    stage.command(*manage, "query", *group, "--state", "FAILED")
    stage.command(*manage, "query", *group, "--error-prefix", "KeyError", "--since", "1h", "--limit", "3")
    stage.command(*manage, "get-input-payloads", *group, "--state", "FAILED", "--rerun")
    stage.command(*manage, "get-output-payload", "scenes/workflow-w/e")
    stage.command(*manage, "process", given=json.dumps(payload("z")))
    stage.command(*manage, "template-payload", "-x", "name", "n", given='{"id": "${name}"}')
    stage.command(*manage, "call", "sh", "-c", "echo $CIRRUS_PAYLOAD_BUCKET")
    stage.command(*manage, "list-lambdas")
    stage.command("payload", "get-id", given=json.dumps(payload()))
    stage.command("payload", "validate", given=json.dumps(identified()))
    stage.command("payload", "template", "-x", "name", "n", given='{"id": "${name}"}')
    stage.look()
