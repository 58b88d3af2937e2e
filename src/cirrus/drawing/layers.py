"""A layered layout of one scope: which rank each thing stands in, in which order, and where.

Things are boxes of given sizes, joined by links. Each link is cut into pieces that lead from one rank to the next, with
a joint in each rank that it crosses; labels are joints with a size. Links to the same target share their joints, so
that many ways to one state become one line. The cost grows with the ranks that the links cross: TooLarge says when it
is too much.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cirrus.errors import CirrusError

MOST_JOINTS = 20_000
SWEEPS = 12
MOST_SWEEPS = 240
EFFORT = 100_000
BACK = 0.3
HEAVY = 6.0
GAP = 36.0
JOINT_GAP = 14.0
RANK_GAP = 26.0


class TooLarge(CirrusError):
    """There is too much to lay it out."""


@dataclass(frozen=True, slots=True)
class Link:
    """From one thing to another, with the size of its label; links of one `bundle` to one target share joints.

    The more it weighs the more it is drawn straight.
    """

    source: str
    target: str
    width: float = 0.0
    height: float = 0.0
    bundle: str = ""
    weight: float = 1.0


@dataclass(slots=True)
class Thing:
    """A box or a joint; once it is placed its centre, and the upper and lower edge of its rank."""

    key: str
    width: float
    height: float
    rank: int = 0
    x: float = 0.0
    y: float = 0.0
    top: float = 0.0
    bottom: float = 0.0
    joint: bool = False
    above: list[Thing] = field(default_factory=list)
    below: list[Thing] = field(default_factory=list)
    pulls: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """How a link runs: the things on its way from source to target; `back` if it leads up; its label's thing."""

    things: tuple[Thing, ...]
    back: bool
    label: Thing | None


@dataclass(frozen=True, slots=True)
class Laid:
    """The things by key, a route for each link, and the size of it all."""

    things: Mapping[str, Thing]
    routes: tuple[Route, ...]
    width: float
    height: float


def lay_out(sizes: Mapping[str, tuple[float, float]], links: Sequence[Link], start: str) -> Laid:
    """Place things of these sizes, `start` at the top; links from a thing to itself are left to the caller."""
    things = {key: Thing(key, width, height) for key, (width, height) in sizes.items()}
    joined = [link for link in links if link.source != link.target]
    backward = _backward(things, joined, start)
    ranks = _ranks(things, joined, backward)
    for key, rank in ranks.items():
        things[key].rank = 2 * rank
    layers: list[list[Thing]] = [[] for _ in range(2 * max(ranks.values(), default=0) + 1)]
    for thing in things.values():
        layers[thing.rank].append(thing)
    routes = _routes(things, joined, backward, layers)
    _order(layers)
    _across(layers)
    height = _down(layers)
    width = _normal(layers)
    return Laid(things, tuple(routes), width, height)


def _backward(things: Mapping[str, Thing], links: Sequence[Link], start: str) -> set[int]:
    """The links that close a circle, by position: those that lead to a thing whose turn is not over."""
    leaving: dict[str, list[int]] = {key: [] for key in things}
    for at, link in enumerate(links):
        leaving[link.source].append(at)
    found: set[int] = set()
    turn: dict[str, int] = {}
    for first in (start, *things):
        if first in turn:
            continue
        turn[first] = 1
        stack = [(first, iter(leaving[first]))]
        while stack:
            key, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                turn[key] = 2
                stack.pop()
                continue
            target = links[following].target
            if turn.get(target) == 1:
                found.add(following)
            elif target not in turn:
                turn[target] = 1
                stack.append((target, iter(leaving[target])))
    return found


def _ranks(things: Mapping[str, Thing], links: Sequence[Link], backward: set[int]) -> dict[str, int]:
    """The length of the longest way to each thing."""
    following: dict[str, list[str]] = {key: [] for key in things}
    waiting = dict.fromkeys(things, 0)
    for at, link in enumerate(links):
        source, target = (link.target, link.source) if at in backward else (link.source, link.target)
        following[source].append(target)
        waiting[target] += 1
    ranks = dict.fromkeys(things, 0)
    ready = [key for key, number in waiting.items() if number == 0]
    while ready:
        key = ready.pop()
        for target in following[key]:
            ranks[target] = max(ranks[target], ranks[key] + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return ranks


def _routes(
    things: Mapping[str, Thing], links: Sequence[Link], backward: set[int], layers: list[list[Thing]]
) -> list[Route]:
    shared: dict[tuple[str, str, int], Thing] = {}
    routes: list[Route] = []
    joints = 0
    for at, link in enumerate(links):
        back = at in backward
        upper, lower = things[link.target if back else link.source], things[link.source if back else link.target]
        label: Thing | None = None
        way = [upper]
        for rank in range(upper.rank + 1, lower.rank):
            labelled = bool(link.width) and rank == (lower.rank - 1 if back else upper.rank + 1)
            key = (link.target, f"{link.bundle}{at if back else ''}", rank)
            joint = None if labelled else shared.get(key)
            if joint is None:
                joints += 1
                joint = Thing(
                    f"{at}/{rank}", *((link.width, link.height) if labelled else (0.0, 0.0)), rank, joint=True
                )
                layers[rank].append(joint)
                if labelled:
                    label = joint
                else:
                    shared[key] = joint
            way.append(joint)
            if joints > MOST_JOINTS:
                raise TooLarge("the workflow has too many long ways to draw them; Mermaid text has no such limit")
        way.append(lower)
        weight = min(link.weight, BACK) if back else link.weight
        for one, other in pairwise(way):
            if other.key not in one.pulls:
                one.below.append(other)
                other.above.append(one)
            one.pulls[other.key] = other.pulls[one.key] = max(one.pulls.get(other.key, 0.0), weight)
        routes.append(Route(tuple(reversed(way) if back else way), back, label))
    return routes


# ---------------------------------------------------------------- order


def _order(layers: list[list[Thing]]) -> None:
    """Sort each layer by where its neighbours stand, down and up, and keep the order with the fewest crossings."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        for at in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            fixed = {id(thing): n for n, thing in enumerate(layers[at - 1 if down else at + 1])}
            _sort(layers[at], fixed, down, sweep % 4 > 1)
        number = _crossings(layers)
        if number < fewest:
            best, fewest = [list(layer) for layer in layers], number
    for layer, kept in zip(layers, best, strict=True):
        layer[:] = kept


def _sort(layer: list[Thing], fixed: Mapping[int, int], down: bool, turned: bool) -> None:
    """Things without neighbours keep their place among the others; with `turned` ties are broken the other way."""
    own = {id(thing): n for n, thing in enumerate(layer)}

    def where(thing: Thing) -> float:
        near = thing.above if down else thing.below
        pulls = [(thing.pulls[other.key], fixed[id(other)]) for other in near if id(other) in fixed]
        if not pulls:
            return float(own[id(thing)])
        return sum(pull * at for pull, at in pulls) / sum(pull for pull, _ in pulls)

    if turned:
        layer.reverse()
    layer.sort(key=where)


def _crossings(layers: Sequence[Sequence[Thing]]) -> int:
    """How many pieces cross, counted as inversions."""
    number = 0
    for upper, lower in pairwise(layers):
        place = {id(thing): n for n, thing in enumerate(lower)}
        ends = [n for thing in upper for n in sorted(place[id(other)] for other in thing.below if id(other) in place)]
        number += _inversions(ends, len(lower))
    return number


def _inversions(ends: Sequence[int], size: int) -> int:
    tree = [0] * (size + 1)
    number = 0
    for seen, end in enumerate(ends):
        at, before = end + 1, 0
        while at:
            before += tree[at]
            at &= at - 1
        number += seen - before
        at = end + 1
        while at <= size:
            tree[at] += 1
            at += at & -at
    return number


# ---------------------------------------------------------------- places


def _across(layers: list[list[Thing]]) -> None:
    """Draw each thing towards the middle of its neighbours, as near as the things beside it let it come."""
    for layer in layers:
        x = 0.0
        for n, thing in enumerate(layer):
            x += _apart(layer[n - 1], thing) if n else 0.0
            thing.x = x
    number = sum(len(layer) for layer in layers)
    for sweep in range(max(2 * SWEEPS, min(MOST_SWEEPS, EFFORT // (number + 1)))):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            _settle(layer, [_wanted(thing, down, sweep) for thing in layer])
    _straighten(layers)


def _straighten(layers: Sequence[Sequence[Thing]]) -> None:
    """Give main lines, then lines of joints, one place as far down as the things beside them leave one free."""
    beside = {
        thing.key: (layer[n - 1] if n else None, layer[n + 1] if n + 1 < len(layer) else None)
        for layer in layers
        for n, thing in enumerate(layer)
    }
    for follow in (_heavy, _joined):
        for layer in layers:
            for thing in layer:
                above = follow(thing.above, thing)
                if above is None or follow(above.below, above) is not thing:
                    _straighten_line(thing, follow, beside)


def _heavy(near: Sequence[Thing], thing: Thing) -> Thing | None:
    """The one neighbour that a main line leads to."""
    found = [other for other in near if thing.pulls[other.key] >= HEAVY]
    return found[0] if len(found) == 1 else None


def _joined(near: Sequence[Thing], thing: Thing) -> Thing | None:
    """The one neighbour that a line of joints leads to."""
    return near[0] if thing.joint and len(near) == 1 and near[0].joint else None


Follow = Callable[[Sequence[Thing], Thing], Thing | None]


def _straighten_line(first: Thing, follow: Follow, beside: Mapping[str, tuple[Thing | None, Thing | None]]) -> None:
    run: list[Thing] = []
    least, most = -math.inf, math.inf
    thing: Thing | None = first
    while thing is not None:
        left, right = beside[thing.key]
        low = -math.inf if left is None else left.x + _apart(left, thing)
        high = math.inf if right is None else right.x - _apart(thing, right)
        if max(least, low) > min(most, high) + 0.01:
            _align(run, least, most)
            run, least, most = [], -math.inf, math.inf
        run.append(thing)
        least, most = max(least, low), min(most, high)
        below = follow(thing.below, thing)
        thing = below if below is not None and follow(below.above, below) is thing else None
    _align(run, least, most)


def _align(run: Sequence[Thing], least: float, most: float) -> None:
    if len(run) > 1:
        middle = sorted(thing.x for thing in run)[len(run) // 2]
        for thing in run:
            thing.x = max(least, min(most, middle))


def _wanted(thing: Thing, down: bool, sweep: int) -> tuple[float, float]:
    """Where a thing would stand, and how much that weighs: straight lines more than anything."""
    near = thing.above if down else thing.below
    if sweep >= SWEEPS:
        near = [*thing.above, *thing.below]
    if not near:
        return thing.x, 0.1
    weights = [thing.pulls[other.key] * (4.0 if thing.joint and other.joint else 1.0) for other in near]
    total = sum(weights)
    return sum(weight * other.x for weight, other in zip(weights, near, strict=True)) / total, total


def _settle(layer: Sequence[Thing], wanted: Sequence[tuple[float, float]]) -> None:
    """The places nearest to the wanted ones that keep things apart: pooled averages, exact in one pass."""
    offsets: list[float] = []
    for n, thing in enumerate(layer):
        offsets.append(offsets[-1] + _apart(layer[n - 1], thing) if n else 0.0)
    pools: list[list[float]] = []
    for (x, weight), offset in zip(wanted, offsets, strict=True):
        pools.append([x - offset, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, heavy, count = pools.pop()
            last = pools[-1]
            last[0] = (last[0] * last[1] + mean * heavy) / (last[1] + heavy)
            last[1] += heavy
            last[2] += count
    places = [mean for mean, _, count in pools for _ in range(int(count))]
    for thing, place, offset in zip(layer, places, offsets, strict=True):
        thing.x = place + offset


def _apart(left: Thing, right: Thing) -> float:
    gap = JOINT_GAP if left.joint and right.joint else GAP if not (left.joint or right.joint) else GAP * 0.7
    return (left.width + right.width) / 2 + gap


def _down(layers: Iterable[Sequence[Thing]]) -> float:
    """Set the heights of the ranks; gives the height of all."""
    y = 0.0
    for rank, layer in enumerate(layers):
        height = max((thing.height for thing in layer), default=0.0)
        if rank:
            y += RANK_GAP if rank % 2 == 0 or height else RANK_GAP * 0.5
        for thing in layer:
            thing.top, thing.bottom = y, y + height
            thing.y = y + (height if thing.joint else thing.height) / 2
        y += height
    return y


def _normal(layers: Iterable[Sequence[Thing]]) -> float:
    """Move all so that the leftmost edge is 0; gives the width."""
    everything = [thing for layer in layers for thing in layer]
    left = min((thing.x - thing.width / 2 for thing in everything), default=0.0)
    for thing in everything:
        thing.x -= left
    return max((thing.x + thing.width / 2 for thing in everything), default=0.0)
