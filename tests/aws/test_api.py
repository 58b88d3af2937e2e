from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.metrics import sample
from cirrus.core.execution_id import next_execution_id
from cirrus.entry.lambdas import api, process, update_state
from tests.aws.scene import Scene, end_event, make_scene


@pytest.fixture
def scene(dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Scene:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    scene = make_scene(Clients()).with_variables(vocabulary="SUCCEEDED")
    names = [f"{n}" for n in range(5)]
    process.handle(scene.where, scene.sqs_event(*map(scene.payload, names)), "o")
    for name in names[:3]:
        known = f"scenes/workflow-w/{name}"
        text = json.dumps(scene.payload(name, id=known))
        arn = scene.where.arns.execution("w", next_execution_id(known, ()))
        update_state.handle(scene.where, end_event(scene, arn, input=text, output=text), "o")
    return scene


def ask(scene: Scene, path: str, code: int = 200, **query: str) -> Any:
    event = {"path": path, "queryStringParameters": query or None, "requestContext": {"domainName": "api.test"}}
    answer = api.handle(scene.where, event)
    assert answer["statusCode"] == code, answer
    assert answer["headers"]["Access-Control-Allow-Origin"] == "*"
    return json.loads(answer["body"])


def test_root_links_to_every_workflow(scene: Scene) -> None:
    found = ask(scene, "/")
    assert [link["rel"] for link in found["links"]] == ["self", "child"]
    assert found["links"][1]["href"] == "https://api.test/scenes/workflow-w"
    assert found["links"][1]["title"] == "scenes - w"


def test_counts_and_their_limit(scene: Scene) -> None:
    found = ask(scene, "/scenes/workflow-w")
    assert (found["collections"], found["workflow"]) == ("scenes", "w")
    assert {state: n for state, n in found["counts"].items() if n} == {"SUCCEEDED": 3, "PROCESSING": 2}
    assert ask(scene, "/scenes/workflow-w", limit="2")["counts"]["SUCCEEDED"] == "2+"


def test_items_page_by_page(scene: Scene) -> None:
    first = ask(scene, "/scenes/workflow-w/items", limit="3", sort_ascending="1", sort_index="default")
    assert [one["items"] for one in first["items"]] == ["0", "1", "2"]
    more = {"limit": "3", "sort_ascending": "1", "sort_index": "default", "nextkey": first["nextkey"]}
    second = ask(scene, "/scenes/workflow-w/items", **more)
    assert [one["items"] for one in second["items"]] == ["3", "4"]
    assert "nextkey" not in second
    assert len(ask(scene, "/scenes/workflow-w/items", state="SUCCEEDED", since="1 h")["items"]) == 3
    assert ask(scene, "/scenes/workflow-w/items", state="FAILED")["items"] == []


def test_one_record_with_its_old_names(scene: Scene) -> None:
    found = ask(scene, "/scenes/workflow-w/0")
    assert found["payload_id"] == found["catid"] == "scenes/workflow-w/0"
    assert found["payload"] == found["catalog"]
    assert found["state"] == "SUCCEEDED"
    assert found["executions"][0].startswith("https://eu-central-1.console.aws.amazon.com/")


def test_what_is_wrong_has_its_status(scene: Scene) -> None:
    assert "no payload" in ask(scene, "/scenes/workflow-w/none", 404)["error"]
    assert "no route" in ask(scene, "/elsewhere", 404)["error"]
    assert "limit" in ask(scene, "/scenes/workflow-w/items", 400, limit="many")["error"]
    assert "no state" in ask(scene, "/scenes/workflow-w/items", 400, state="HAPPY")["error"]
    assert "token" in ask(scene, "/scenes/workflow-w/items", 400, nextkey="x")["error"]
    assert "CIRRUS_WORKFLOW_METRIC_NAMESPACE" in ask(scene, "/stats", 404)["error"]


def test_stats_come_from_metrics(scene: Scene) -> None:
    counted = scene.with_variables(metric_namespace=f"cirrus-{scene.root}")
    found = ask(counted, "/stats")["state_transitions"]
    assert (len(found["daily"]), found["daily"][0]["interval"], found["hourly"][0]["interval"]) == (60, "day", "hour")
    assert {one["state"] for one in found["daily"][0]["states"]} >= {"SUCCEEDED", "FAILED", "CLAIMED", "PROCESSING"}


def test_events_are_counted_in_the_log(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    counted = scene.with_variables(metric_namespace="cirrus")
    process.handle(counted.where, scene.sqs_event(scene.payload("new")), "o")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [line["event"] for line in lines] == ["CLAIMED_PROCESSING", "STARTED_PROCESSING"]
    (by_event, by_workflow) = lines[0]["_aws"]["CloudWatchMetrics"]
    assert (by_event["Metrics"][0]["Name"], by_event["Dimensions"]) == ("all_workflows_by_event", [["event"]])
    assert by_workflow["Dimensions"] == [["event", "workflow"]]
    assert json.loads(sample("n", {"event_type": "X", "payload_id": "?", "isotimestamp": "2026-01-01"}))["event"] == "X"


def test_a_page_begins_behind_an_id_as_2_x_gave_it(scene: Scene) -> None:
    asked = {"sort_ascending": "1", "sort_index": "default", "limit": "2"}
    found = ask(scene, "/scenes/workflow-w/items", nextkey="scenes/workflow-w/1", **asked)
    assert [one["items"] for one in found["items"]] == ["2", "3"]
    assert found["items"][0]["output_payload_url"].endswith("/output.json")
    assert found["items"][1]["output_payload_url"] is None
    assert "no payload" in ask(scene, "/scenes/workflow-w/items", 404, nextkey="scenes/workflow-w/none")["error"]
