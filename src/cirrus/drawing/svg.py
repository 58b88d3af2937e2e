"""A graph as an SVG that stands on its own: cards for states, nested frames for Parallel and Map, dashed Catches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape

from cirrus.drawing.condition import short
from cirrus.drawing.graph import CATCH, Scope
from cirrus.drawing.picture import BEGIN, LABEL_HEIGHT, Drawn, Frame, Picture, Placed, compose, text_width
from cirrus.drawing.visits import CAUGHT, DONE, FAILED, RUNNING, STOPPED, Visits

COLOURS = {
    "Task": "#d9822b",
    "Pass": "#8a8f98",
    "Choice": "#7c5cd6",
    "Wait": "#2b8fa3",
    "Succeed": "#1f8a4c",
    "Fail": "#c8322b",
    "Parallel": "#3b6fd4",
    "Map": "#b0458f",
}
GLYPHS = {
    "Task": "M-6 -2 h4 v-4 h4 v4 h4 v4 h-4 v4 h-4 v-4 h-4 z",
    "Pass": "M-6 0 h9 M0 -4 l4 4 l-4 4",
    "Choice": "M0 -7 l7 7 l-7 7 l-7 -7 z",
    "Wait": "M0 -4.5 v4.5 l3.5 2 M6.5 0 a6.5 6.5 0 1 1 -13 0 a6.5 6.5 0 1 1 13 0",
    "Succeed": "M-5 0 l3.5 4 l6.5 -8",
    "Fail": "M-4.5 -4.5 l9 9 M4.5 -4.5 l-9 9",
    "Parallel": "M-5 -6 v12 M0 -6 v12 M5 -6 v12",
    "Map": "M-6 -5 h12 M-6 0 h12 M-6 5 h12",
}
FILLED = ("Task",)
VISITED = {
    DONE: ("#e4f6ea", "#1f8a4c"),
    CAUGHT: ("#fdf1d7", "#b7791f"),
    RUNNING: ("#e0ecff", "#2563eb"),
    FAILED: ("#fde3e1", "#c8322b"),
    STOPPED: ("#eeeef1", "#80808a"),
}
INK, QUIET, LINE, TAKEN = "#1d2330", "#5c6470", "#9aa1ad", "#1f8a4c"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
FAR = 60.0
"""From so far a way up leaves by the top, so that it does not run across what stands between."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def draw_svg(scope: Scope, visits: Visits | None = None, title: str = "workflow") -> str:
    """The text of an SVG; with `visits` an execution is laid over it. TooLarge if there is too much to draw."""
    return "\n".join(_document(compose(scope), visits, title)) + "\n"


def _document(picture: Picture, visits: Visits | None, title: str) -> Iterator[str]:
    legend = 30.0 if visits is not None else 0.0
    width, height = max(picture.width, 380.0 if legend else 0.0), picture.height + legend
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{FONT}" role="img">'
    )
    yield f"<title>{_text(title)}</title>"
    yield '<rect width="100%" height="100%" fill="#ffffff"/>'
    yield "<defs>"
    for name, colour in (("arrow", LINE), ("taken", TAKEN)):
        yield (
            f'<marker id="{name}" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="10" markerHeight="10" '
            f'markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
            f'<path d="M1 1.5 L9 5 L1 8.5 z" fill="{colour}"/></marker>'
        )
    yield "</defs>"
    for placed in picture.states:
        yield from _state(placed, visits)
    ways = sorted(picture.ways, key=lambda drawn: _taken(drawn, visits))
    trunks: set[tuple[object, ...]] = set()
    for drawn in ways:
        yield _way(drawn, _taken(drawn, visits), trunks)
    for drawn in ways:
        yield from _label(drawn)
    for kind, frame in picture.dots:
        yield from _dot(kind, frame)
    if visits is not None:
        yield from _legend(picture.height)
    yield "</svg>"


def _state(placed: Placed, visits: Visits | None) -> Iterator[str]:
    box, frame = placed.box, placed.frame
    became = visits.became.get(box.name, "") if visits is not None else ""
    fill, edge = VISITED.get(became, ("#ffffff", "#c9ced6"))
    faded = ' opacity="0.55"' if visits is not None and not became else ""
    if box.scopes:
        fill = {"": "#f7f8fa"}.get(became, fill)
    tip = " ".join(part for part in (f"{box.type}: {box.name}", box.detail, became) if part)
    yield f"<g{faded}><title>{_text(tip)}</title>"
    dashed = ' stroke-dasharray="5 4"' if box.type == "Map" else ""
    yield f'<rect {_rect(frame)} rx="8" fill="{fill}" stroke="{edge}" stroke-width="{1.8 if became else 1.2}"{dashed}/>'
    for branch in placed.branches:
        yield f'<rect {_rect(branch)} rx="6" fill="#ffffff" stroke="#d9dde4" stroke-dasharray="5 4"/>'
    yield from _card(placed, visits)
    yield "</g>"


def _card(placed: Placed, visits: Visits | None) -> Iterator[str]:
    box, frame = placed.box, placed.frame
    colour = COLOURS[box.type]
    x, y = frame.x + 24, frame.y + 23
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="13" fill="{colour}" fill-opacity="0.14"/>'
    paint = f'fill="{colour}"' if box.type in FILLED else f'fill="none" stroke="{colour}"'
    yield (
        f'<path transform="translate({x:.1f} {y:.1f})" d="{GLYPHS[box.type]}" {paint} stroke-width="1.8" '
        f'stroke-linecap="round" stroke-linejoin="round"/>'
    )
    detail = box.detail if box.detail != box.name else ""
    room = frame.width - 62
    name = _fitting(box.name, 14.2, room)
    line = y + (4.5 if not detail else -2.5)
    left = frame.x + 45
    yield f'<text x="{left:.1f}" y="{line:.1f}" font-size="13.5" font-weight="600" fill="{INK}">{_text(name)}</text>'
    if detail:
        shown = _text(_fitting(detail, 11, room + 6))
        yield f'<text x="{left:.1f}" y="{y + 12.5:.1f}" font-size="11" fill="{QUIET}">{shown}</text>'
    if box.retried:
        right, top = frame.x + frame.width - 20, frame.y + 28
        yield f'<text x="{right:.1f}" y="{top:.1f}" font-size="13" fill="{QUIET}">↻</text>'
    times = visits.times.get(box.name, 0) if visits is not None else 0
    if times > 1 and visits is not None:
        yield from _badge(frame, times, VISITED[visits.became[box.name]][1])


def _badge(frame: Frame, times: int, colour: str) -> Iterator[str]:
    text = f"\u00d7{times}"
    width = text_width(text, 11) + 14
    x, y = frame.x + frame.width - width + 8, frame.y - 9
    yield f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="18" rx="9" fill="{colour}"/>'
    yield (
        f'<text x="{x + width / 2:.1f}" y="{y + 13:.1f}" font-size="11" font-weight="600" fill="#ffffff" '
        f'text-anchor="middle">{text}</text>'
    )


def _dot(kind: str, frame: Frame) -> Iterator[str]:
    x, y = frame.x + frame.width / 2, frame.y + frame.height / 2
    if kind == BEGIN:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{INK}"><title>start</title></circle>'
        return
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="10" fill="none" stroke="{INK}" stroke-width="1.6"/>'
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{INK}"><title>end</title></circle>'


# ---------------------------------------------------------------- ways


def _taken(drawn: Drawn, visits: Visits | None) -> bool:
    if visits is None:
        return False
    way = drawn.way
    if way.source == BEGIN:
        return way.target in visits.times
    if way.target.startswith("\0"):
        return visits.became.get(way.source) == DONE
    return (way.source, way.target, way.kind == CATCH) in visits.ways


def _way(drawn: Drawn, taken: bool, trunks: set[tuple[object, ...]]) -> str:
    """A way; where it meets one that was drawn in the same style and leads to the same state it ends."""
    dashed = ' stroke-dasharray="5 4"' if drawn.way.kind == CATCH else ""
    colour, width, marker = (TAKEN, 2.2, "taken") if taken else (LINE, 1.4, "arrow")
    joints = drawn.joints
    met = False
    for number, joint in enumerate(drawn.joints):
        key = (drawn.way.target, dashed, taken, drawn.back, joint)
        if key in trunks:
            joints, met = drawn.joints[: number + 1], True
            break
        trunks.add(key)
    end = "" if met else f' marker-end="url(#{marker})"'
    path = _path(drawn, joints, met)
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}{end}/>'


def _path(drawn: Drawn, joints: tuple[tuple[float, float, float], ...], met: bool) -> str:
    first, last = drawn.first, drawn.last
    if drawn.way.source == drawn.way.target:
        x, y = first.x + first.width, first.y + min(first.height, 46) / 2
        return f"M{x:.1f} {y - 8:.1f} C{x + 34:.1f} {y - 18:.1f} {x + 34:.1f} {y + 18:.1f} {x + 2:.1f} {y + 8:.1f}"
    if drawn.back:
        return _back(drawn)
    x, y = first.x + first.width / 2, first.y + first.height
    parts = [f"M{x:.1f} {y:.1f}"]
    if drawn.drop > y:
        y = drawn.drop
        parts.append(f"V{y:.1f}")
    for right, upper, lower in joints:
        parts.append(_bend(x, y, right, upper))
        if lower > upper and not (met and (right, upper, lower) == joints[-1]):
            parts.append(f"V{lower:.1f}")
        x, y = right, lower
    if not met:
        parts.append(_bend(x, y, last.x + last.width / 2, last.y))
    return " ".join(parts)


def _bend(x: float, y: float, right: float, below: float) -> str:
    middle = (y + below) / 2
    return f"C{x:.1f} {middle:.1f} {right:.1f} {middle:.1f} {right:.1f} {below:.1f}"


def _back(drawn: Drawn) -> str:
    """Up from the source to the target, by their sides where the joints stand beside them."""
    x, upper, lower = drawn.joints[0]
    parts = [*_leaving(drawn.first, x, lower), f"V{upper:.1f}"]
    y = upper
    for right, above, below in drawn.joints[1:]:
        parts += [_bend(x, y, right, below), f"V{above:.1f}"]
        x, y = right, above
    return " ".join([*parts, _arriving(drawn.last, x)])


def _leaving(frame: Frame, x: float, lower: float) -> list[str]:
    if frame.x <= x <= frame.x + frame.width:
        return [f"M{x:.1f} {frame.y:.1f}", f"V{lower:.1f}"]
    side, y = _side(frame, x)
    if abs(side - x) > FAR:
        edge = min(max(x, frame.x + 20), frame.x + frame.width - 20)
        return [f"M{edge:.1f} {frame.y:.1f}", _bend(edge, frame.y, x, lower)]
    return [f"M{side:.1f} {y:.1f}", f"Q{x:.1f} {y:.1f} {x:.1f} {lower:.1f}"]


def _arriving(frame: Frame, x: float) -> str:
    if frame.x <= x <= frame.x + frame.width:
        return f"V{frame.y + frame.height:.1f}"
    side, y = _side(frame, x)
    return f"V{frame.y + frame.height:.1f} Q{x:.1f} {y:.1f} {side:.1f} {y:.1f}"


def _side(frame: Frame, towards: float) -> tuple[float, float]:
    right = towards >= frame.x + frame.width / 2
    return frame.x + (frame.width if right else 0.0), frame.y + min(frame.height, 46) / 2


def _label(drawn: Drawn) -> Iterator[str]:
    if drawn.label is None or not drawn.way.label:
        return
    x, y = drawn.label
    width = text_width(drawn.way.label, 11) + 10
    yield (
        f'<rect x="{x - width / 2:.1f}" y="{y - LABEL_HEIGHT / 2:.1f}" width="{width:.1f}" height="{LABEL_HEIGHT}" '
        'rx="4" fill="#ffffff" fill-opacity="0.94"/>'
    )
    yield (
        f'<text x="{x:.1f}" y="{y + 4:.1f}" font-size="11" fill="{QUIET}" '
        f'text-anchor="middle">{_text(drawn.way.label)}</text>'
    )


def _legend(y: float) -> Iterator[str]:
    x = 20.0
    for became, (fill, edge) in VISITED.items():
        yield f'<rect x="{x:.1f}" y="{y:.1f}" width="12" height="12" rx="3" fill="{fill}" stroke="{edge}"/>'
        yield f'<text x="{x + 17:.1f}" y="{y + 10.5:.1f}" font-size="11" fill="{QUIET}">{became}</text>'
        x += 34 + text_width(became, 11)


def _rect(frame: Frame) -> str:
    return f'x="{frame.x:.1f}" y="{frame.y:.1f}" width="{frame.width:.1f}" height="{frame.height:.1f}"'


def _fitting(text: str, size: float, room: float) -> str:
    """The text, cut to about a width."""
    longest = len(text)
    while longest > 4 and text_width(short(text, longest), size) > room:
        longest -= 1
    return short(text, longest)


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))
