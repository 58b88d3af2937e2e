"""A graph as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Iterator

from cirrus.drawing.graph import CATCH, Box, Scope, Way
from cirrus.drawing.visits import CAUGHT, DONE, FAILED, RUNNING, STOPPED, Visits

SHAPES = {
    "Choice": ("{{", "}}"),
    "Wait": ("([", "])"),
    "Succeed": ("((", "))"),
    "Fail": (">", "]"),
    "Pass": ("[/", "/]"),
}
CLASSES = {
    DONE: "fill:#d9f2df,stroke:#1f8a4c,color:#12361f",
    CAUGHT: "fill:#fdecc8,stroke:#b7791f,color:#4a3208",
    RUNNING: "fill:#d6e8ff,stroke:#2563eb,color:#10264d",
    FAILED: "fill:#fbd9d7,stroke:#c8322b,color:#4d0f0c",
    STOPPED: "fill:#ececef,stroke:#80808a,color:#303036",
}
TIMES = "\u00d7"
TAKEN = "stroke:#1f8a4c,stroke-width:2.5px"


def draw_mermaid(scope: Scope, visits: Visits | None = None) -> str:
    """The text of a flowchart; with `visits` an execution is laid over it."""
    return _Drawing(visits).whole(scope)


class _Drawing:
    def __init__(self, visits: Visits | None) -> None:
        self._visits = visits
        self._ids: dict[str, str] = {}
        self._ways: list[str] = []
        self._taken: list[int] = []

    def whole(self, scope: Scope) -> str:
        for box in scope.all_boxes():
            self._ids[box.name] = f"s{len(self._ids)}"
        lines = ["flowchart TD", "  begin((Start))", *self._scope(scope, "  ")]
        self._ways.insert(0, f"  begin --> {self._ids[scope.start]}")
        became = {} if self._visits is None else self._visits.became
        if scope.start in became:
            self._taken.append(0)
        ends = [box.name for box in scope.boxes.values() if box.ends]
        if ends:
            lines.append("  finish((End))")
            self._taken += [len(self._ways) + at for at, name in enumerate(ends) if became.get(name) == DONE]
            self._ways += [f"  {self._ids[name]} --> finish" for name in ends]
        return "\n".join([*lines, *self._ways, *self._colours()]) + "\n"

    def _scope(self, scope: Scope, indent: str) -> Iterator[str]:
        for box in scope.boxes.values():
            yield from self._box(box, indent)
        for way in scope.ways:
            self._way(way)

    def _box(self, box: Box, indent: str) -> Iterator[str]:
        number, label = self._ids[box.name], self._label(box)
        if not box.scopes:
            left, right = SHAPES.get(box.type, ("[", "]"))
            yield f"{indent}{number}{left}{label}{right}"
            return
        yield f"{indent}subgraph {number} [{label}]"
        yield f"{indent}  direction TB"
        for at, scope in enumerate(box.scopes):
            if box.type == "Map":
                yield from self._scope(scope, f"{indent}  ")
                continue
            yield f"{indent}  subgraph {number}b{at} [branch {at + 1}]"
            yield f"{indent}    direction TB"
            yield from self._scope(scope, f"{indent}    ")
            yield f"{indent}  end"
        yield f"{indent}end"

    def _label(self, box: Box) -> str:
        parts = [f"<b>{_text(box.name)}</b>"]
        if box.detail and box.detail != box.name:
            parts.append(_text(box.detail))
        elif box.type in ("Map", "Parallel"):
            parts.append(box.type)
        times = 0 if self._visits is None else self._visits.times.get(box.name, 0)
        if box.retried:
            parts[0] += " ↻"
        if times > 1:
            parts[0] += f" {TIMES}{times}"
        return '"' + "<br/>".join(parts) + '"'

    def _way(self, way: Way) -> None:
        arrow = "-.->" if way.kind == CATCH else "-->"
        label = f'|"{_text(way.label)}"|' if way.label else ""
        self._ways.append(f"  {self._ids[way.source]} {arrow}{label} {self._ids[way.target]}")
        if self._visits is not None and (way.source, way.target, way.kind == CATCH) in self._visits.ways:
            self._taken.append(len(self._ways))

    def _colours(self) -> Iterator[str]:
        if self._visits is None:
            return
        for became, style in CLASSES.items():
            names = [name for name, how in self._visits.became.items() if how == became and name in self._ids]
            if names:
                yield f"  classDef {became} {style}"
                yield f"  class {','.join(self._ids[name] for name in names)} {became}"
        if self._taken:
            yield f"  linkStyle {','.join(str(number) for number in sorted(self._taken))} {TAKEN}"


def _text(text: str) -> str:
    """A text that Mermaid takes for nothing but text."""
    marked = {"#": "#35;", "&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;", "\n": " "}
    return "".join(marked.get(character, character) for character in text)
