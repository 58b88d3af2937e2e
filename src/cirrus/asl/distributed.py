"""What a distributed Map adds: a map run whose children are executions of their own, readers, batches, writers."""

from __future__ import annotations

from typing import Any

from cirrus.asl import data, failure
from cirrus.asl.clock import show_time
from cirrus.asl.commands import ReadItems, WriteResults
from cirrus.asl.definition import Batcher, MapState
from cirrus.asl.execution import NO_VARIABLES, Branch, Fork, Run
from cirrus.asl.failure import Failure
from cirrus.asl.intrinsics import uuid
from cirrus.asl.items import as_input, context_item
from cirrus.asl.leave import fail
from cirrus.asl.working import Environment, Step


def read_items(step: Step, branch: Branch, state: MapState, env: Environment, given: Any) -> None:
    """Ask the driver for the items."""
    assert state.reader is not None
    parameters = state.reader.parameters(given, env)
    config = state.reader.config(given, env)
    step.issue(
        branch,
        "reader",
        ReadItems(step.number(), state.reader.kind, parameters, config, state.name, branch.attempt),
    )


def open_map_run(step: Step, branch: Branch, state: MapState, fork: Fork) -> None:
    """Name the map run, and say what its children have in common."""
    run: Run = step.node(branch.run)
    machine = str(run.machine.get("Id") or "arn:aws:states:::stateMachine:machine")
    arn = machine.replace(":stateMachine:", ":mapRun:", 1)
    fork.name = f"{arn}/{state.label or state.name}:{uuid(step.random)}"
    fork.kin = first_run(run, state)
    step.note(branch, "MapRunStarted", lambda: {"mapRunArn": fork.name})


def batches(step: Step, branch: Branch, state: MapState, fork: Fork, batcher: Batcher, env: Environment) -> list[Any]:
    """The items in bundles of at most so many items and so many bytes."""
    most = limit(batcher.count, fork.shared, env, "MaxItemsPerBatch")
    room = min(limit(batcher.size, fork.shared, env, "MaxInputBytesPerBatch"), step.machine.data_limit)
    shared = {} if batcher.input is None else {"BatchInput": batcher.input(fork.shared, env)}
    overhead = data.size({"Items": [], **shared})
    found: list[Any] = []
    items: list[Any] = []
    used = overhead
    for index, value in enumerate(fork.items):
        item = as_input(value)
        if state.item is not None:
            item = state.item(fork.shared, Environment(step, branch, state, context_item(fork, index)))
        needed = data.size(item) + 1
        if items and (len(items) >= most or used + needed > room):
            found.append({**shared, "Items": items})
            items, used = [], overhead
        items.append(item)
        used += needed
    return [*found, {**shared, "Items": items}] if items else found


def limit(find: Any, given: Any, env: Environment, field: str) -> int:
    """A limit that the state gives or finds; without one there is none."""
    if find is None:
        return 2**62
    found = find(given, env)
    if isinstance(found, bool) or not isinstance(found, int | float) or found < 1:
        kind = failure.QUERY if env.state.jsonata else failure.RUNTIME
        raise Failure(
            kind, f"The {field} field must be a positive number but was: {data.text(found)[:100]}", field=field
        )
    return int(found)


def first_run(parent: Run, state: MapState) -> Run:
    """What the runs of all children have in common."""
    label = state.label or state.name
    machine_id = f"{parent.machine.get('Id', '')}/{label}"
    execution = {**parent.about(), "Id": machine_id.replace(":stateMachine:", ":execution:", 1)}
    machine = {"Id": machine_id, "Name": f"{parent.machine.get('Name', '')}/{label}"}
    return Run(0, 0, execution, machine, state.express or parent.express, 0)


def child_run(step: Step, fork: Fork, child: Branch) -> None:
    """Give a child a history, an identity and a scope of its own."""
    kin = fork.kin
    assert kin is not None
    run = Run(
        step.number(),
        0,
        kin.execution,
        kin.machine,
        kin.express,
        child.id,
        uuid(step.random),
        step.at,
        child.input,
    )
    step.add(run)
    child.run = run.id
    child.leads = True
    child.last = 0
    child.variables = NO_VARIABLES
    step.note_run(run.id, 0, "ExecutionStarted")


def write_results(step: Step, branch: Branch, state: MapState, fork: Fork) -> None:
    """Ask the driver to write what the children gave."""
    assert state.writer is not None
    env = Environment(step, branch, state)
    try:
        parameters = {} if state.writer.parameters is None else state.writer.parameters(fork.shared, env)
    except Failure as problem:
        return fail(step, branch, state, problem)
    records = [record(entry) for entry in fork.results.values()]
    command = WriteResults(
        step.number(),
        state.writer.kind,
        parameters,
        dict(state.writer.config),
        records,
        state.name,
        branch.attempt,
        fork.name,
    )
    step.issue(branch, "writer", command)
    return None


def record(entry: tuple[Any, ...]) -> dict[str, Any]:
    """What the result files say of one child."""
    ok, output, child = entry
    common = {**child, "RedriveCount": 0, "RedriveStatus": "NOT_REDRIVABLE"}
    if ok:
        details = {"Output": data.text(output), "OutputDetails": {"Included": True}}
        return {**common, **details, "Status": "SUCCEEDED"}
    return {**common, **output, "Status": "FAILED"}


def identity(step: Step, child: Branch) -> dict[str, Any]:
    """What the result files say of a child besides its end."""
    run: Run = step.node(child.run)
    execution = run.about()
    return {
        "ExecutionArn": execution["Id"],
        "Input": data.text(execution["Input"]),
        "InputDetails": {"Included": True},
        "Name": execution["Name"],
        "StartDate": execution["StartTime"],
        "StateMachineArn": run.machine["Id"],
        "StopDate": show_time(step.at),
    }


def written(fork: Fork, parameters: Any, output: Any) -> dict[str, Any]:
    """The state's result after its results were written."""
    details = output.get("ResultWriterDetails", output) if isinstance(output, dict) else {}
    if "Key" not in details:
        prefix = parameters.get("Prefix", "") if isinstance(parameters, dict) else ""
        run = fork.name.rpartition(":")[2]
        key = "/".join(part for part in (prefix.strip("/"), run, "manifest.json") if part)
        details = {"Bucket": parameters.get("Bucket", "") if isinstance(parameters, dict) else "", "Key": key}
    return {"MapRunArn": fork.name, "ResultWriterDetails": {"Bucket": details.get("Bucket"), "Key": details["Key"]}}
