"""The filters of JSONPath, `[?(@.a > 1 && @.b == 'x')]`, as functions of (item, root)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cirrus.asl.data import equal
from cirrus.asl.failure import runtime
from cirrus.asl.pattern import Pattern
from cirrus.asl.pike import TooCostly
from cirrus.asl.reader import Reader, Unreadable

Value = Callable[[Any, Any], Any]
Test = Callable[[Any, Any], bool]
Inner = Callable[[Reader], tuple[bool, tuple[Callable[[list[Any], Any], list[Any]], ...]]]

ABSENT = object()
NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][-+]?\d{1,3})?")
OPERATOR = re.compile(r"==|!=|<=|>=|<|>|(?:in|nin|subsetof|anyof|noneof|contains|size|empty)\b")
PATTERN = re.compile(r"/((?:[^/\\]|\\.)+)/([imsx]*)", re.DOTALL)
FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
DEEPEST = 50


def _ordered(left: Any, right: Any) -> bool:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (left, right))
    return numbers or (isinstance(left, str) and isinstance(right, str))


def _within(item: Any, items: Any) -> bool:
    return isinstance(items, list) and any(equal(item, one) for one in items)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a is b or (a is not ABSENT and b is not ABSENT and equal(a, b)),
    "!=": lambda a, b: not OPERATORS["=="](a, b),
    "<": lambda a, b: _ordered(a, b) and a < b,
    "<=": lambda a, b: _ordered(a, b) and a <= b,
    ">": lambda a, b: _ordered(a, b) and a > b,
    ">=": lambda a, b: _ordered(a, b) and a >= b,
    "in": _within,
    "nin": lambda a, b: a is not ABSENT and not _within(a, b),
    "subsetof": lambda a, b: isinstance(a, list) and all(_within(one, b) for one in a),
    "anyof": lambda a, b: isinstance(a, list) and any(_within(one, b) for one in a),
    "noneof": lambda a, b: isinstance(a, list) and not any(_within(one, b) for one in a),
    "contains": lambda a, b: _within(b, a) or (isinstance(a, str) and isinstance(b, str) and b in a),
    "size": lambda a, b: isinstance(a, list | str | dict) and len(a) == b,
    "empty": lambda a, b: isinstance(a, list | str | dict) and (not a) is b,
}


def fits(pattern: Pattern, text: str) -> bool:
    """Whether a pattern matches a text from its start; fails the state where that takes too long to find out."""
    try:
        return pattern.match(text) is not None
    except TooCostly as error:
        raise runtime(f"A filter's regular expression could not be evaluated: {error}") from None


class FilterParser:
    """Reads what stands between `?(` and `)`; `inner` reads the path after `@` or `$`."""

    def __init__(self, reader: Reader, inner: Inner, depth: int = 0) -> None:
        if depth > DEEPEST:
            raise Unreadable("filters are nested too deeply")
        self.reader = reader
        self.inner = inner
        self.depth = depth

    def parse(self) -> Test:
        """The whole filter."""
        tests = [self._conjunction()]
        while self._accept("||"):
            tests.append(self._conjunction())
        return tests[0] if len(tests) == 1 else lambda item, root: any(test(item, root) for test in tests)

    def _conjunction(self) -> Test:
        tests = [self._single()]
        while self._accept("&&"):
            tests.append(self._single())
        return tests[0] if len(tests) == 1 else lambda item, root: all(test(item, root) for test in tests)

    def _single(self) -> Test:
        if self._accept("!"):
            test = FilterParser(self.reader, self.inner, self.depth + 1)._single()
            return lambda item, root: not test(item, root)
        if self._accept("("):
            test = FilterParser(self.reader, self.inner, self.depth + 1).parse()
            self.reader.space()
            self.reader.expect(")")
            return test
        return self._comparison()

    def _comparison(self) -> Test:
        left = self._value()
        self.reader.space()
        if self.reader.accept("=~"):
            matches = self._pattern()
            return lambda item, root: matches(left(item, root))
        operator = self.reader.match(OPERATOR)
        if operator is None:
            return lambda item, root: left(item, root) is not ABSENT
        right = self._value()
        compare = OPERATORS[operator]
        return lambda item, root: compare(left(item, root), right(item, root))

    def _pattern(self) -> Callable[[Any], bool]:
        """A regular expression between slashes, which the whole text has to match."""
        self.reader.space()
        found = PATTERN.match(self.reader.text, self.reader.at)
        if found is None:
            raise Unreadable(f"expected /a pattern/ at character {self.reader.at}, found {self.reader.rest()}")
        self.reader.at = found.end()
        try:
            pattern = Pattern(rf"(?:{found[1]})\Z", sum(FLAGS[flag] for flag in set(found[2])))
        except (re.error, OverflowError, RecursionError) as error:
            raise Unreadable(f"/{found[1]}/ is no regular expression: {error}") from None
        return lambda text: isinstance(text, str) and fits(pattern, text)

    def _value(self) -> Value:
        reader = self.reader
        reader.space()
        if reader.peek() in ("@", "$"):
            return self._path(reader.accept("@") or not reader.accept("$"))
        literal = self._literal()
        return lambda item, root: literal

    def _path(self, relative: bool) -> Value:
        definite, steps = self.inner(self.reader)

        def find(item: Any, root: Any) -> Any:
            nodes = [item if relative else root]
            for step in steps:
                nodes = step(nodes, root)
            if definite:
                return nodes[0] if nodes else ABSENT
            return nodes

        return find

    def _literal(self) -> Any:
        reader = self.reader
        if reader.peek() in ("'", '"'):
            return reader.quoted()
        if reader.accept("["):
            return self._array()
        for word, value in WORDS.items():
            if reader.accept(word):
                return value
        number = reader.match(NUMBER)
        if number is None:
            raise Unreadable(f"expected a value at character {reader.at}, found {reader.rest()}")
        return float(number) if set(number) & set(".eE") else int(number)

    def _array(self) -> list[Any]:
        reader = self.reader
        reader.space()
        items: list[Any] = []
        while not reader.accept("]"):
            if items:
                reader.expect(",")
            reader.space()
            items.append(FilterParser(reader, self.inner, self.depth + 1)._literal())
            reader.space()
        return items

    def _accept(self, token: str) -> bool:
        self.reader.space()
        return self.reader.accept(token)
