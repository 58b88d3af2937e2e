"""JSONPath as Step Functions speaks it: parsed when the definition is loaded, run as a chain of small functions.

A path that can meet several values (wildcard, slice, filter, `..`, several indexes) always gives a list, empty
if nothing is there. Any other path gives one value or MISSING.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cirrus.asl.failure import runtime
from cirrus.asl.filters import FilterParser
from cirrus.asl.reader import Reader, Unreadable


class Missing:
    """The type of MISSING: nothing was found."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()

Step = Callable[[list[Any], Any], list[Any]]

IDENTIFIER = re.compile(r"[^\W\d]\w*")
MEMBER = re.compile(r"[^\s.\[\](){}'\"?*,:@!=<>&|$/\\`~;^%+#]+")
FUNCTIONS = ("length", "size", "min", "max", "avg", "sum", "stddev", "keys", "first", "last")
LONGEST = 10_000
MOST = 500_000


class Environment(Protocol):
    """What a path reads besides the data: the context object and the variables."""

    @property
    def context(self) -> dict[str, Any]:
        """The context object, `$$`."""

    @property
    def variables(self) -> dict[str, Any]:
        """The variables in scope, by name without the dollar."""


class InvalidPath(ValueError):
    """The text is no path."""


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path. `root` is "$", "$$" or a variable's name; `names` the steps where all are plain members."""

    text: str
    root: str
    definite: bool
    reference: bool
    names: tuple[str | int, ...]
    steps: tuple[Step, ...]

    def document(self, data: Any, env: Environment) -> Any:
        """What the path searches: the data, the context object or a variable; MISSING for an unset variable."""
        if self.root == "$":
            return data
        if self.root == "$$":
            return env.context
        return env.variables.get(self.root, MISSING)

    def spelled(self, count: int) -> str:
        """The path's first steps in brackets, `$['a'][0]`."""
        return self.root + "".join(
            f"['{name}']" if isinstance(name, str) else f"[{name}]" for name in self.names[:count]
        )

    def find(self, data: Any, env: Environment) -> Any:
        """The value found (a list for a path that is not definite), or MISSING."""
        found = self.document(data, env)
        if self.reference:
            return follow(found, self.names)
        if found is MISSING:
            return found
        nodes = [found]
        for step in self.steps:
            nodes = step(nodes, found)
            if not nodes:
                return MISSING if self.definite else []
        return nodes[0] if self.definite else nodes


def follow(found: Any, names: tuple[str | int, ...]) -> Any:
    """What stands below `found` at plain member names and indexes, or MISSING."""
    for name in names:
        if found.__class__ is dict:
            found = found.get(name, MISSING)
        elif found.__class__ is list and name.__class__ is int:
            found = found[name] if -len(found) <= name < len(found) else MISSING
        else:
            return MISSING
    return found


def is_path(text: str) -> bool:
    """Whether the text looks like a path rather than an intrinsic function or a literal."""
    return text.startswith("$")


def parse_path(text: str) -> Path:
    """Compile a path; raises InvalidPath saying what is wrong and where."""
    if len(text) > LONGEST:
        raise InvalidPath(f"the path is longer than {LONGEST} characters")
    try:
        return _PathParser(Reader(text)).parse()
    except (Unreadable, RecursionError) as error:
        raise InvalidPath(f"'{text[:200]}' is no JSONPath: {error or 'nested too deeply'}") from None


def parse_reference(text: str) -> Path:
    """Compile a reference path, which names exactly one place; raises InvalidPath."""
    path = parse_path(text)
    if not path.reference:
        raise InvalidPath(f"'{text}' is no reference path: it may only name members and indexes")
    return path


class _PathParser:
    """Reads one path and compiles its steps on the way."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.names: list[str | int] = []
        self.steps: list[Step] = []
        self.definite = True
        self.reference = True

    def parse(self) -> Path:
        text = self.reader.text
        root = self.root()
        while not self.reader.done:
            self.step()
        return Path(text, root, self.definite, self.reference, tuple(self.names), tuple(self.steps))

    def root(self) -> str:
        self.reader.expect("$")
        if self.reader.accept("$"):
            return "$$"
        name = self.reader.match(IDENTIFIER)
        return name or "$"

    def below(self) -> tuple[Step, ...]:
        """The steps of a path inside a filter, after its `@` or `$`."""
        while self.reader.peek() in (".", "["):
            self.step()
        return tuple(self.steps)

    def step(self) -> None:
        reader = self.reader
        if reader.accept(".."):
            self.many(_descend)
            if reader.peek() != "[":
                self.member()
        elif reader.accept("."):
            self.member()
        elif reader.accept("["):
            self.bracket()
            reader.space()
            reader.expect("]")
        else:
            raise Unreadable(f"unexpected {reader.rest()} at character {reader.at}")

    def member(self) -> None:
        reader = self.reader
        if reader.accept("*"):
            return self.many(_wildcard)
        if reader.peek() == "[":
            raise Unreadable(f"a name should follow the dot at character {reader.at}")
        name = reader.match(MEMBER)
        if name is None:
            raise Unreadable(f"a name should follow the dot at character {reader.at}")
        if name in FUNCTIONS and reader.accept("("):
            reader.space()
            reader.expect(")")
            return self.function(name)
        return self.one(name)

    def bracket(self) -> None:
        reader = self.reader
        reader.space()
        if reader.accept("*"):
            self.many(_wildcard)
        elif reader.accept("?"):
            self.filter()
        elif reader.peek() in ("'", '"'):
            self.quoted()
        else:
            self.indexes()

    def filter(self) -> None:
        reader = self.reader
        reader.space()
        reader.expect("(")
        test = FilterParser(reader, _inner_path).parse()
        reader.space()
        reader.expect(")")
        self.many(lambda nodes, root: [item for item in _wildcard(nodes, root) if test(item, root)])

    def quoted(self) -> None:
        names = self.listed(self.reader.quoted)
        if len(names) == 1:
            return self.one(names[0])
        self.reference = False
        self.steps.append(lambda nodes, _: [_pick(node, names) for node in nodes if isinstance(node, dict)])
        return None

    def indexes(self) -> None:
        reader = self.reader
        first = None if reader.peek() == ":" else reader.integer()
        reader.space()
        if reader.accept(":"):
            reader.space()
            last = None if reader.peek() == "]" else reader.integer()
            return self.many(lambda nodes, _: [item for n in nodes if isinstance(n, list) for item in n[first:last]])
        if reader.peek() == ",":
            reader.expect(",")
            reader.space()
            indexes = [first, *self.listed(reader.integer)]
            return self.many(
                lambda nodes, _: [f for n in nodes for i in indexes if (f := follow(n, (i,))) is not MISSING]
            )
        assert first is not None
        return self.one(first)

    def listed(self, read: Callable[[], Any]) -> list[Any]:
        found = [read()]
        self.reader.space()
        while self.reader.accept(","):
            self.reader.space()
            found.append(read())
            self.reader.space()
        return found

    def one(self, name: str | int) -> None:
        self.names.append(name)
        key = (name,)
        self.steps.append(lambda nodes, _: [f for node in nodes if (f := follow(node, key)) is not MISSING])

    def many(self, step: Step) -> None:
        self.definite = self.reference = False
        self.steps.append(step)

    def function(self, name: str) -> None:
        """A function over what the path found so far; it ends the path and gives one value."""
        gathered = not self.definite
        self.definite, self.reference = True, False
        self.steps.append(lambda nodes, _: _aggregate(name, nodes if gathered else nodes[0]))
        if not self.reader.done:
            raise Unreadable(f"nothing may follow {name}()")


def _inner_path(reader: Reader) -> tuple[bool, tuple[Step, ...]]:
    parser = _PathParser(reader)
    steps = parser.below()
    return parser.definite, steps


def _children(node: Any) -> list[Any]:
    if node.__class__ is list:
        return node
    return list(node.values()) if node.__class__ is dict else []


def _wildcard(nodes: list[Any], _: Any) -> list[Any]:
    found: list[Any] = []
    for node in nodes:
        found.extend(_children(node))
        _bounded(found)
    return found


def _descend(nodes: list[Any], _: Any) -> list[Any]:
    """Every node at or below the given ones, parents first."""
    found = []
    stack = list(reversed(nodes))
    while stack:
        node = stack.pop()
        if node.__class__ is dict or node.__class__ is list:
            found.append(node)
            stack.extend(reversed(_children(node)))
            _bounded(found)
    return found


def _bounded(found: list[Any]) -> None:
    """Steps such as `..*` can multiply what they find; no honest path comes near the bound."""
    if len(found) > MOST:
        raise runtime(f"A JSONPath selected more than {MOST} values.")


def _pick(node: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: node[name] for name in names if name in node}


def _aggregate(name: str, found: Any) -> list[Any]:
    if name in ("length", "size"):
        return [len(found)] if isinstance(found, list | dict | str) else []
    if name == "keys":
        return [list(found)] if isinstance(found, dict) else []
    if not isinstance(found, list) or not found:
        return []
    if name in ("first", "last"):
        return [found[0 if name == "first" else -1]]
    numbers = [item for item in found if isinstance(item, int | float) and not isinstance(item, bool)]
    return [_NUMERIC[name](numbers)] if numbers else []


def _deviation(numbers: list[float]) -> float:
    mean = sum(numbers) / len(numbers)
    return float((sum((n - mean) ** 2 for n in numbers) / len(numbers)) ** 0.5)


_NUMERIC: dict[str, Callable[[list[Any]], Any]] = {
    "min": min,
    "max": max,
    "sum": sum,
    "avg": lambda numbers: sum(numbers) / len(numbers),
    "stddev": _deviation,
}
