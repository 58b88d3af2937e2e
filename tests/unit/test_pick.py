"""The rule that picks queued messages, over any queue and any limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.pick import Allowance, Lane, Waiting, again, pick
from cirrus.core.throttle import Limit, Pause, Rate, Throttle, parse_rate

NOW = 1_800_000_000_000_000
NAMES = ("a", "b", "c", "d")
LANES = [
    Lane(p, n + 1, name, w, 10 * n + k) for p in (5, 0) for n, name in enumerate(NAMES) for k, w in enumerate("xy")
]


class Fake:
    """Lanes in a dict; counts what is read of them."""

    def __init__(self, lengths: dict[Lane, int]) -> None:
        numbers = iter(range(1, 10**6))
        self.left = {
            lane: [Waiting(next(numbers), b"x" * 10, 0, lane) for _ in range(length)]
            for lane, length in lengths.items()
            if length
        }
        self.read = 0

    def priorities(self) -> Iterator[int]:
        yield from sorted({lane.priority for lane, held in self.left.items() if held}, reverse=True)

    def lanes(self, priority: int, after: int) -> Iterator[Lane]:
        found = [lane for lane, held in self.left.items() if held and lane.priority == priority]
        for lane in sorted(found, key=lambda lane: (lane.turn <= after, lane.turn, lane.key)):
            self.read += 1
            yield lane

    def messages(self, lane: Lane, behind: int, limit: int) -> Iterator[Waiting]:
        for message in [one for one in self.left[lane] if one.number > behind][:limit]:
            self.read += 1
            yield message

    def remove(self, picked: list[Waiting]) -> None:
        for message in picked:
            self.left[message.lane].remove(message)


queues = st.dictionaries(st.sampled_from(LANES), st.integers(0, 30))
limit = st.builds(
    Limit,
    st.none() | st.integers(0, 8),
    st.none() | st.builds(Rate, st.sampled_from([20_000.0, 250_000.0, 3_000_000.0])),
)
throttles = st.builds(
    Throttle,
    st.dictionaries(st.sampled_from("xy"), limit, max_size=2),
    st.dictionaries(st.sampled_from([*NAMES, "*"]), limit, max_size=3),
)
pauses = st.lists(
    st.sampled_from([Pause("workflow", "x", NOW), Pause("collections", "a", NOW), Pause("deployment", "", NOW)]),
    max_size=2,
)
running = st.dictionaries(st.tuples(st.sampled_from(NAMES), st.sampled_from("xy")), st.integers(0, 5))


@given(queues, st.integers(1, 40), throttles, pauses, running)
def test_nothing_is_left_that_may_begin_and_nothing_begins_that_may_not(lengths, places, throttle, paused, runs):
    source = Fake(lengths)
    allowance = Allowance(throttle, paused, runs, {}, NOW)
    picked = pick(source, places, 10**9, allowance, {})
    source.remove(picked)
    assert len(picked) <= places
    begun = Counter((one.lane.collections, one.lane.workflow) for one in picked)
    for collections, workflow in begun:
        assert not any(pause.holds(collections, workflow) for pause in paused)
        for name, one in throttle.of(collections, workflow):
            alike = [pair for pair in {*begun, *runs} if name in dict(throttle.of(*pair))]
            if one.running is not None:
                assert sum(begun[pair] + runs.get(pair, 0) for pair in alike) <= one.running
            if one.rate is not None:
                assert sum(begun[pair] for pair in alike) <= one.rate.free(None, NOW)
    if len(picked) < places:
        rest = [lane for lane, held in source.left.items() if held]
        assert not any(allowance.open(lane.collections, lane.workflow) for lane in rest)


@given(queues, st.integers(1, 40))
def test_priority_before_all_age_within_a_lane_and_turns_between_collections(lengths, places):
    source = Fake(lengths)
    picked = pick(source, places, 10**9, Allowance(), {})
    source.remove(picked)
    assert len(picked) == min(places, sum(lengths.values()))
    assert [one.lane.priority for one in picked] == sorted((one.lane.priority for one in picked), reverse=True)
    for lane in lengths:
        numbers = [one.number for one in picked if one.lane == lane]
        assert numbers == sorted(numbers)
        assert all(one.number > number for number in numbers for one in source.left.get(lane, ()))
    last = picked[-1].lane.priority if picked else 0
    served = Counter(one.lane.collections for one in picked if one.lane.priority == last)
    waiting = {lane.collections for lane, held in source.left.items() if held and lane.priority == last}
    for name in waiting:
        assert served[name] >= max(served.values(), default=0) - 1


@given(queues, st.integers(1, 5))
def test_whoever_waits_is_served_within_one_round(lengths, places):
    source, served = Fake(lengths), dict[int, int]()
    while any(source.left.values()):
        top = max(lane.priority for lane, held in source.left.items() if held)
        before = {lane.collections for lane, held in source.left.items() if held and lane.priority == top}
        rounds = -(-len(before) // places)
        seen: set[str] = set()
        for _ in range(rounds):
            picked = pick(source, places, 10**9, Allowance(), served)
            source.remove(picked)
            seen |= {one.lane.collections for one in picked}
        assert before <= seen


@given(queues, st.integers(1, 40), st.integers(1, 400))
def test_bodies_together_are_bounded(lengths, places, size):
    picked = pick(Fake(lengths), places, size, Allowance(), {})
    assert sum(len(one.body) for one in picked[:-1]) < size
    assert picked or not any(lengths.values())


def test_what_is_read_does_not_grow_with_the_queue():
    for length in (100, 10_000):
        source = Fake(dict.fromkeys(LANES[:4], length))
        assert len(pick(source, 100, 10**9, Allowance(), {})) == 100
        assert source.read <= 120


def test_only_as_many_collections_are_looked_at_as_there_are_places():
    source = Fake({Lane(0, n, f"c{n}", "w", n): 3 for n in range(1, 5000)})
    assert len(pick(source, 10, 10**9, Allowance(), {})) == 10
    assert source.read <= 40


def test_lane_at_its_limit_is_tried_again_when_its_rate_has_room():
    lane = LANES[0]
    throttle = Throttle({"x": Limit(rate=parse_rate("1/s"))})
    debts = {"workflow x": NOW + 400_000}
    source = Fake({lane: 5})
    assert again(source, Allowance(throttle, (), {}, debts, NOW)) == NOW + 400_000
    assert again(source, Allowance(throttle, [Pause("workflow", "x", NOW)], {}, debts, NOW)) is None
    busy = Throttle({"x": Limit(2, parse_rate("1/s"))})
    assert again(source, Allowance(busy, (), {("a", "x"): 2}, debts, NOW)) is None


# -------------------------------------------------------------------- rates


@given(st.sampled_from(["3/s", "600/m", "1.5/s", "1000/s", "7/h"]), st.lists(st.integers(0, 2_000_000), max_size=60))
def test_rate_holds_on_average_however_often_it_is_asked(text, waits):
    rate, now, debt, begun = parse_rate(text), NOW, None, 0
    for wait in waits:
        now += wait
        free = rate.free(debt, now)
        if free:
            debt = rate.spend(debt, now, free)
            begun += free
    most = max(rate.interval, 250_000)
    assert begun * rate.interval <= now - NOW + most + 60


def test_rate_is_reached():
    rate, now, debt, begun = parse_rate("10/s"), NOW, None, 0
    for _ in range(1000):
        free = rate.free(debt, now)
        debt = rate.spend(debt, now, free) if free else debt
        begun += free
        now = max(now + 10_000, rate.again(debt, now))
    assert begun / ((now - NOW) / 1_000_000) == pytest.approx(10, rel=0.02)


def test_debt_from_before_the_clock_was_set_back_is_forgotten():
    rate = parse_rate("1/s")
    far = rate.spend(None, NOW + 3_600_000_000, 1)
    assert rate.again(far, NOW) <= NOW + 1_000_000


@pytest.mark.parametrize("text", ["", "10", "10/", "/s", "0/s", "-1/s", "10/y", "ten/s", "10/ss", "1e3/s"])
def test_what_is_no_rate(text):
    with pytest.raises(ValueError, match="such as 10/s or 600/m"):
        parse_rate(text)
