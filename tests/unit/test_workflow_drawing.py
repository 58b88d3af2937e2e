"""Pictures of workflows: labels, Mermaid, the layout, SVG, and executions laid over them."""

from __future__ import annotations

import time
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cirrus import asl
from cirrus.drawing.condition import LONGEST, show_condition
from cirrus.drawing.graph import read_graph
from cirrus.drawing.layers import TooLarge
from cirrus.drawing.mermaid import draw_mermaid
from cirrus.drawing.picture import Frame, compose
from cirrus.drawing.svg import draw_svg
from cirrus.drawing.visits import read_visits
from cirrus.trial.answers import Answer
from cirrus.trial.play import play

SVG = "{http://www.w3.org/2000/svg}"


def task(**more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": "${work}", **({} if "Next" in more else {"End": True}), **more}


FLOW: dict[str, Any] = {
    "StartAt": "fetch",
    "States": {
        "fetch": task(
            Next="which",
            Retry=[{"ErrorEquals": ["Busy"]}],
            Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "failure"}],
        ),
        "which": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.many", "BooleanEquals": True, "Next": "each"},
                {"Variable": "$.n", "NumericLessThan": 3, "Next": "wait"},
            ],
            "Default": "both",
        },
        "wait": {"Type": "Wait", "Seconds": 30, "Next": "fetch"},
        "each": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": {
                "StartAt": "one",
                "States": {
                    "one": task(Catch=[{"ErrorEquals": ["Soft"], "Next": "skip"}], Next="two"),
                    "two": task(),
                    "skip": {"Type": "Pass", "End": True},
                },
            },
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "failure"}],
            "Next": "done",
        },
        "both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "left", "States": {"left": task()}},
                {"StartAt": "right", "States": {"right": {"Type": "Wait", "Seconds": 9, "End": True}}},
            ],
            "Next": "done",
        },
        "done": {"Type": "Succeed"},
        "failure": {"Type": "Fail", "Error": 'a<b>&"c"', "Cause": "so"},
    },
}


# ---------------------------------------------------------------- labels

LABELS = [
    ({"Variable": "$.a", "StringEquals": "x"}, '$.a = "x"'),
    ({"Variable": "$.a", "NumericGreaterThanEquals": 3}, "$.a ≥ 3"),
    ({"Variable": "$.a", "BooleanEquals": False}, "$.a = false"),
    ({"Variable": "$.a", "TimestampLessThanPath": "$.b"}, "$.a < $.b"),
    ({"Variable": "$.a", "StringMatches": "x*"}, '$.a like "x*"'),
    ({"Variable": "$.a", "IsPresent": True}, "$.a is present"),
    ({"Variable": "$.a", "IsNumeric": False}, "$.a is not a numeric"),
    ({"Not": {"Variable": "$.a", "IsNull": True}}, "not $.a is null"),
    (
        {"Or": [{"Variable": "$.a", "IsNull": True}, {"And": [{"Variable": "$.b", "NumericEquals": 1}] * 2}]},
        "$.a is null or ($.b = 1 and $.b = 1)",
    ),
    ({"Condition": "{% $states.input.n\n   > 3 %}"}, "$states.input.n > 3"),
]


@pytest.mark.parametrize(("rule", "label"), LABELS)
def test_conditions_are_shown_short(rule: dict[str, Any], label: str) -> None:
    assert show_condition(rule) == label


def test_long_conditions_are_cut() -> None:
    assert len(show_condition({"Variable": "$.a", "StringEquals": "x" * 500})) == LONGEST
    deep: dict[str, Any] = {"Variable": "$.a", "IsNull": True}
    for _ in range(60):
        deep = {"Not": deep}
    assert show_condition(deep).endswith("…")


# ---------------------------------------------------------------- Mermaid


def test_mermaid_shows_states_ways_and_what_is_inside() -> None:
    text = draw_mermaid(read_graph(FLOW))
    for line in (
        '  s0["<b>fetch</b> ↻<br/>work"]',
        '  s1{{"<b>which</b>"}}',
        '  s2(["<b>wait</b><br/>30 s"])',
        '  subgraph s3 ["<b>each</b><br/>each of $.items"]',
        '  s6>"<b>failure</b><br/>a#lt;b#gt;#amp;#quot;c#quot;"]',
        "  begin --> s0",
        '  s0 -.->|"States.ALL"| s6',
        '  s1 -->|"$.many = true"| s3',
        '  s1 -->|"otherwise"| s4',
        "  s5 --> finish",
    ):
        assert line in text.splitlines(), line
    assert text.count("subgraph") == text.count("  end\n") == 4
    assert "classDef" not in text


# ---------------------------------------------------------------- executions


def visits_of(given: Any, **mocks: tuple[Answer, ...]) -> Any:
    return read_visits(play(asl.parse(FLOW), given, mocks).events)


def test_an_execution_is_told_by_state() -> None:
    again, many = Answer({"many": False, "n": 1}), Answer({"many": True, "items": [1, 2, 3]})
    seen = visits_of({}, fetch=(again, many), one=(Answer(error="Soft"), Answer(1)), two=(Answer(1), Answer(error="X")))
    assert seen.times["fetch"] == 2
    assert seen.times["one"] == 3
    assert seen.became == {
        "fetch": "done",
        "which": "done",
        "wait": "done",
        "each": "caught",
        "one": "caught",
        "skip": "done",
        "two": "failed",
        "failure": "failed",
    }
    assert seen.ways["one", "skip", True] == 1
    assert seen.ways["one", "two", False] == 2
    assert seen.ways["each", "failure", True] == 1


def test_branches_that_were_stopped_did_not_fail() -> None:
    seen = visits_of({}, fetch=(Answer({"many": False, "n": 5}),), left=(Answer(error="X"),))
    assert (seen.became["left"], seen.became["right"], seen.became["both"]) == ("failed", "stopped", "failed")


def test_an_execution_under_way_is_running_where_it_is() -> None:
    events = play(asl.parse(FLOW), {}, {"fetch": (Answer({"many": True, "items": []}),)}).events
    seen = read_visits(events[:3])
    assert seen.became == {"fetch": "running"}
    assert read_visits([]).became == {}


def test_an_execution_is_laid_over_both_kinds_of_picture() -> None:
    seen = visits_of({}, fetch=(Answer(error="Bad"),))
    graph = read_graph(FLOW)
    text = draw_mermaid(graph, seen)
    assert "  class s0 caught" in text
    assert "  class s6 failed" in text
    (taken,) = [line for line in text.splitlines() if "linkStyle" in line]
    ways = [line for line in text.splitlines() if "-->" in line or "-.->" in line]
    numbers = [int(number) for number in taken.split()[1].split(",")]
    assert [ways[number].strip() for number in numbers] == ["begin --> s0", 's0 -.->|"States.ALL"| s6']
    titles = [one.text for one in ElementTree.fromstring(draw_svg(graph, seen)).iter(f"{SVG}title")]
    assert "Task: fetch work caught" in titles


# ---------------------------------------------------------------- layout


def apart(one: Frame, other: Frame) -> bool:
    return (
        one.x + one.width <= other.x + 0.01
        or other.x + other.width <= one.x + 0.01
        or one.y + one.height <= other.y + 0.01
        or other.y + other.height <= one.y + 0.01
    )


def inside(one: Frame, other: Frame) -> bool:
    return (
        other.x <= one.x + 0.01
        and other.y <= one.y + 0.01
        and one.x + one.width <= other.x + other.width + 0.01
        and one.y + one.height <= other.y + other.height + 0.01
    )


def check_places(definition: dict[str, Any]) -> None:
    picture = compose(read_graph(definition))
    whole = Frame(0, 0, picture.width, picture.height)
    frames = [placed.frame for placed in picture.states]
    assert all(inside(frame, whole) for frame in frames)
    for one, other in combinations(frames, 2):
        assert apart(one, other) or inside(one, other) or inside(other, one)


def test_states_stand_apart_and_inside_their_frames() -> None:
    check_places(FLOW)
    picture = compose(read_graph(FLOW))
    frames = {placed.box.name: placed for placed in picture.states}
    assert inside(frames["one"].frame, frames["each"].frame)
    assert inside(frames["right"].frame, frames["both"].branches[1])
    middles = [frames[name].frame.x + frames[name].frame.width / 2 for name in ("fetch", "which")]
    assert middles[0] == pytest.approx(middles[1], abs=1)
    assert frames["fetch"].frame.y < frames["which"].frame.y < frames["each"].frame.y < frames["done"].frame.y


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    names = [f"s{n}" for n in range(draw(st.integers(1, 12)))]
    target = st.sampled_from(names)
    states: dict[str, Any] = {}
    for name in names:
        targets = draw(st.lists(target, max_size=3))
        states[name] = {
            "Type": "Choice",
            "Choices": [{"Variable": "$.a", "IsNull": True, "Next": one} for one in targets],
            "Default": draw(target),
        }
        if draw(st.booleans()):
            states[name] = task(Next=draw(target), Catch=[{"ErrorEquals": ["X"], "Next": one} for one in targets])
    return {"StartAt": names[0], "States": states}


@settings(max_examples=30)
@given(graphs())
def test_any_graph_is_drawn(definition: dict[str, Any]) -> None:
    check_places(definition)
    ElementTree.fromstring(draw_svg(read_graph(definition)))
    draw_mermaid(read_graph(definition))


def chain(length: int, **more: Any) -> dict[str, Any]:
    states: dict[str, Any] = {f"s{n}": task(Next=f"s{n + 1}", **more) for n in range(length)}
    return {"StartAt": "s0", "States": {**states, f"s{length}": {"Type": "Fail"}}}


def test_long_workflows_are_drawn_in_time() -> None:
    before = time.monotonic()
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "s400"}]
    text = draw_svg(read_graph(chain(400, Catch=catch)))
    assert text.count("<rect") > 400
    assert time.monotonic() - before < 20


def test_what_cannot_be_laid_out_says_so() -> None:
    wild = chain(300)
    for n in range(250):
        wild["States"][f"s{n}"]["Catch"] = [{"ErrorEquals": ["X"], "Next": f"s{300 - n // 2}"}]
    with pytest.raises(TooLarge, match="Mermaid"):
        draw_svg(read_graph(wild))
    assert draw_mermaid(read_graph(wild))


def test_names_cannot_break_the_svg() -> None:
    name = "]]><script>\x01\U0001f680 \"'& " + "w" * 60
    flow = {"StartAt": name, "States": {name: {"Type": "Pass", "Comment": "x", "End": True}}}
    root = ElementTree.fromstring(draw_svg(read_graph(flow), title=name))
    assert not list(root.iter(f"{SVG}script"))
    assert any((one.text or "").endswith("…") for one in root.iter(f"{SVG}text"))
