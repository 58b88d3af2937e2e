"""Functions call nothing that their roles in the template do not allow: stand-ins allow everything, AWS does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.core.execution_id import next_execution_id
from cirrus.deploying.deploy import Deployer
from cirrus.entry.lambdas import api, post_batch, pre_batch, process, sweep, update_state
from cirrus.flow import query
from cirrus.settings import load_project
from tests.aws.scene import Scene, end_event, make_scene
from tests.deploying.projects import everything

P = "scenes/workflow-w/a"
MANY = {
    "PublishBatch": "sns:Publish",
    "SendMessageBatch": "sqs:SendMessage",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "DeleteObjects": "s3:DeleteObject",
    "HeadObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
}
SERVICES = {"sfn": "states", "cloudwatch-logs": "logs"}
VERBS = {"INSERT": "PartiQLInsert", "UPDATE": "PartiQLUpdate", "DELETE": "PartiQLDelete", "SELECT": "PartiQLSelect"}
WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


class Recorder:
    """What was called, as IAM names it, with the table where it is about one."""

    def __init__(self) -> None:
        self.called: set[tuple[str, str]] = set()

    def __call__(self, session: Any) -> None:
        session.register("provide-client-params", self._told)

    def _told(self, params: Any, model: Any, event_name: str, **_: Any) -> None:
        service = event_name.split(".")[1]
        if service == "dynamodb":
            self.called |= set(_tables(model.name, params))
        else:
            self.called.add((MANY.get(model.name, f"{SERVICES.get(service, service)}:{model.name}"), ""))


def _tables(operation: str, params: Any) -> Iterator[tuple[str, str]]:
    if operation in {"BatchExecuteStatement", "ExecuteTransaction"}:
        for one in params.get("Statements") or params["TransactStatements"]:
            verb, _, rest = one["Statement"].partition(" ")
            yield f"dynamodb:{VERBS[verb]}", rest.split('"')[1]
    elif operation == "TransactWriteItems":
        for action in params["TransactItems"]:
            ((kind, told),) = action.items()
            yield f"dynamodb:{WRITES[kind]}", told["TableName"]
    elif "RequestItems" in params:
        yield from ((f"dynamodb:{operation}", table) for table in params["RequestItems"])
    else:
        yield f"dynamodb:{operation}", params["TableName"]


@pytest.fixture
def scene(dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Scene:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    kept = {"keep_events": "86400", "keep_deliveries": "on", "attention_index": "on"}
    return make_scene(Clients()).with_variables(vocabulary="COMPLETED", **kept)


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    project = load_project(everything(tmp_path_factory.mktemp("whole") / "project"))
    deployer = Deployer(project, project.deployments["prod"], lambda _: None)
    found: dict[str, Any] = json.loads(deployer.template)["Resources"]
    return found


def allowed(resources: dict[str, Any], role: str, scene: Scene) -> set[tuple[str, str]]:
    """The actions of a role, those about a table with its name in the scene."""
    variables = scene.where.variables
    tables = {"StateTable": variables.state_db, "OutboxTable": str(variables.outbox_table)}
    found: set[tuple[str, str]] = set()
    for policy in resources[role]["Properties"]["Policies"]:
        for one in policy["PolicyDocument"]["Statement"]:
            named = {table for place, table in tables.items() if place in json.dumps(one["Resource"])} or {""}
            found |= {(action, table) for action in one["Action"] for table in named}
    return found


def recorded(scene: Scene, act: Callable[[Scene], object]) -> set[tuple[str, str]]:
    recorder = Recorder()
    act(replace(scene, where=replace(scene.where, clients=Clients(prepare=recorder))))
    assert recorder.called
    return recorder.called


def ended(scene: Scene, status: str = "SUCCEEDED", name: str = "a", **more: Any) -> dict[str, Any]:
    payload_id = f"scenes/workflow-w/{name}"
    arn = scene.where.arns.execution("w", next_execution_id(payload_id, []))
    text = json.dumps(scene.payload(name, id=payload_id) | more)
    told = {"output": text} if status == "SUCCEEDED" else {"error": "Oops", "cause": "it broke"}
    return end_event(scene, arn, status, input=text, **told)


def run_process(scene: Scene) -> None:
    large = scene.payload("large") | {"filler": "x" * 150_000}
    process.handle(scene.where, scene.sqs_event(scene.payload(), scene.payload("b"), large, "no payload"), "o")
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")


def run_update(scene: Scene) -> None:
    bare = ended(scene, name="b")
    bare["detail"] |= {"input": None, "output": None, "inputDetails": {"included": False}}
    chained = [{"workflow": "w"}, {"workflow": "w"}]
    for event in (ended(scene, process=chained), ended(scene, "FAILED", "large"), bare):
        update_state.handle(scene.where, event, "o")


def run_sweep(scene: Scene) -> None:
    later = replace(scene.where, clock=lambda: 2_000_000_000_000_000)
    for where in (scene.where, later):
        sweep.handle(where, 60, "o")


def run_api(scene: Scene) -> None:
    for path in ("/", "/scenes/workflow-w", "/scenes/workflow-w/items", f"/{P}"):
        answer = api.handle(scene.where, {"path": path, "requestContext": {"domainName": "api.test"}})
        assert answer["statusCode"] == 200, answer


def run_batch(scene: Scene) -> None:
    told = pre_batch.handle(scene.where, scene.payload(id=P))
    scene.where.payloads().put(scene.where.payloads().key(told["url_out"]), json.dumps(scene.payload()).encode())
    post_batch.handle(scene.where, {"Parameters": told})


def run_operator(scene: Scene) -> None:
    home = scene.where.home(checked=True)
    record = query.record(home, P)
    query.input_payload(home, record)
    list(query.records(home, query.Query()))
    home.queue.depth()
    home.queue.quarantined()


def test_calls_are_allowed(scene: Scene, resources: dict[str, Any]) -> None:
    steps: list[tuple[str, Callable[[Scene], None]]] = [
        ("ProcessFunctionRole", run_process),
        ("OperatorRole", run_operator),
        ("UpdateStateFunctionRole", run_update),
        ("PreBatchFunctionRole", run_batch),
        ("ApiFunctionRole", run_api),
        ("SweepFunctionRole", run_sweep),
    ]
    missing = {role: sorted(recorded(scene, act) - allowed(resources, role, scene)) for role, act in steps}
    assert {role: calls for role, calls in missing.items() if calls} == {}


def test_calls_about_limits_are_allowed(scene: Scene, resources: dict[str, Any]) -> None:
    limits = scene.with_variables(limits='{"workflows":{"w":[1,"100/s"]}}')

    def begin(given: Scene) -> None:
        process.handle(given.where, given.sqs_event(given.payload(), given.payload("b")), "o")

    def finish(given: Scene) -> None:
        assert update_state.handle(given.where, ended(given), "o")["written"] == 1

    steps: list[tuple[str, Callable[[Scene], None]]] = [
        ("SweepFunctionRole", run_sweep),
        ("ProcessFunctionRole", begin),
        ("UpdateStateFunctionRole", finish),
        ("OperatorRole", run_operator),
        ("SweepFunctionRole", run_sweep),
    ]
    missing = {role: sorted(recorded(limits, act) - allowed(resources, role, scene)) for role, act in steps}
    assert {role: calls for role, calls in missing.items() if calls} == {}
