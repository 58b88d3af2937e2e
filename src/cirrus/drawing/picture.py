"""A whole graph, laid out: every scope from the inside out, then every place in one picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cirrus.drawing.graph import CATCH, NEXT, OTHERWISE, RULE, Box, Scope, Way
from cirrus.drawing.layers import Laid, Link, Route, lay_out

PAD = 18.0
HEAD = 44.0
CARD_HEIGHT = 46.0
NARROWEST, COMMON, WIDEST = 128.0, 190.0, 340.0
DOT = 26.0
LOOP = 34.0
LABEL_HEIGHT = 17.0
BRANCH_GAP = 22.0
BEGIN, FINISH = "\0begin", "\0finish"
_WEIGHTS = {NEXT: 6.0, RULE: 2.0, OTHERWISE: 2.0, CATCH: 0.3}
_NARROW, _WIDE = "fijlrt.,:;'|!()[]{} ", "mwMW@%—"


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A state in its frame; a Parallel's branches have frames of their own."""

    box: Box
    frame: Frame
    branches: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A way between the frames of two states.

    `drop` is where the rank of the first ends, `joints` are (x, upper edge, lower edge), `label` is the label's centre.
    """

    way: Way
    first: Frame
    drop: float
    joints: tuple[tuple[float, float, float], ...]
    last: Frame
    back: bool
    label: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything in its place; `dots` are the start and the end."""

    states: tuple[Placed, ...]
    ways: tuple[Drawn, ...]
    dots: tuple[tuple[str, Frame], ...]
    width: float
    height: float


def text_width(text: str, size: float) -> float:
    """About how wide a text is in a common sans-serif."""
    total = sum(0.3 if one in _NARROW else 0.9 if one in _WIDE else 1.0 if ord(one) > 0x2E80 else 0.58 for one in text)
    return total * size


def compose(scope: Scope) -> Picture:
    """The picture of a machine; TooLarge if there is too much of it."""
    plan = _Plan(scope, outermost=True)
    states, ways, dots = [], [], []
    for part in plan.place(PAD, PAD):
        if isinstance(part, Placed):
            states.append(part)
        elif isinstance(part, Drawn):
            ways.append(part)
        else:
            dots.append(part)
    return Picture(tuple(states), tuple(ways), tuple(dots), plan.width + 2 * PAD, plan.height + 2 * PAD)


class _Plan:
    """The layout of one scope and of the scopes inside it."""

    def __init__(self, scope: Scope, *, outermost: bool = False) -> None:
        self.scope = scope
        self.inner = {name: [_Plan(one) for one in box.scopes] for name, box in scope.boxes.items()}
        sizes = {name: self._size(box) for name, box in scope.boxes.items()}
        common = min(max((sizes[name][0] for name, box in scope.boxes.items() if not box.scopes), default=0.0), COMMON)
        sizes = {name: (max(width, common), height) for name, (width, height) in sizes.items()}
        self.ways = list(scope.ways)
        start = scope.start
        if outermost:
            sizes |= {BEGIN: (DOT, DOT), FINISH: (DOT, DOT)}
            self.ways.insert(0, Way(BEGIN, scope.start, NEXT))
            ends = [Way(box.name, FINISH, NEXT) for box in scope.boxes.values() if box.ends]
            self.ways += ends
            if not ends:
                del sizes[FINISH]
            start = BEGIN
        self.ways = [way for way in self.ways if way.target in sizes]
        self.room = max((LOOP + _label_width(way) for way in self.ways if way.source == way.target), default=0.0)
        self.laid: Laid = lay_out(sizes, [_link(way) for way in self.ways], start)
        self.width = self.laid.width + self.room
        self.height = self.laid.height

    def _size(self, box: Box) -> tuple[float, float]:
        text = max(text_width(box.name, 14.2) + (82 if box.retried else 66), text_width(box.detail, 11) + 62)
        width = min(max(text, NARROWEST), WIDEST)
        plans = self.inner[box.name]
        if not plans:
            return width, CARD_HEIGHT
        framed = PAD if box.type == "Parallel" else 0.0
        inside = sum(plan.width + 2 * framed for plan in plans) + BRANCH_GAP * (len(plans) - 1)
        return max(width, inside + 2 * PAD), max(plan.height for plan in plans) + HEAD + PAD + 2 * framed

    def place(self, x: float, y: float) -> Iterator[Placed | Drawn | tuple[str, Frame]]:
        """Everything in this scope, its upper left corner at a place."""
        frames = {
            key: Frame(x + thing.x - thing.width / 2, y + thing.y - thing.height / 2, thing.width, thing.height)
            for key, thing in self.laid.things.items()
        }
        for key, frame in frames.items():
            if key in (BEGIN, FINISH):
                yield key, frame
            else:
                yield from self._state(self.scope.boxes[key], frame)
        routes = iter(self.laid.routes)
        for way in self.ways:
            if way.source == way.target:
                frame = frames[way.source]
                beside = frame.x + frame.width + LOOP + _label_width(way) / 2, frame.y + CARD_HEIGHT / 2
                yield Drawn(way, frame, 0.0, (), frame, True, beside)
            else:
                yield _drawn(way, next(routes), frames, x, y)

    def _state(self, box: Box, frame: Frame) -> Iterator[Placed | Drawn | tuple[str, Frame]]:
        plans = self.inner[box.name]
        framed = PAD if box.type == "Parallel" else 0.0
        inside = sum(plan.width + 2 * framed for plan in plans) + BRANCH_GAP * (len(plans) - 1)
        left, top = frame.x + (frame.width - inside) / 2, frame.y + HEAD
        frames: list[Frame] = []
        below: list[Placed | Drawn | tuple[str, Frame]] = []
        for plan in plans:
            frames.append(Frame(left, top, plan.width + 2 * framed, frame.height - HEAD - PAD))
            below += plan.place(left + framed, top + framed)
            left += plan.width + 2 * framed + BRANCH_GAP
        yield Placed(box, frame, tuple(frames) if framed else ())
        yield from below


def _label_width(way: Way) -> float:
    return text_width(way.label, 11) + 14 if way.label else 0.0


def _link(way: Way) -> Link:
    width = _label_width(way)
    bundle = "catch" if way.kind == CATCH else "next"
    return Link(way.source, way.target, width, LABEL_HEIGHT if width else 0.0, bundle, _WEIGHTS[way.kind])


def _drawn(way: Way, route: Route, frames: dict[str, Frame], x: float, y: float) -> Drawn:
    joints = tuple((x + thing.x, y + thing.top, y + thing.bottom) for thing in route.things[1:-1])
    label = None if route.label is None else (x + route.label.x, y + route.label.y)
    drop = y + route.things[0].bottom
    return Drawn(way, frames[way.source], drop, joints, frames[way.target], route.back, label)
