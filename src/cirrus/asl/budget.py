"""How much an expression may do: steps, depth, the size of what it makes, and patterns that cannot run away."""

from __future__ import annotations

import re
from typing import Any

from jsonata.jexception import JException
from jsonata.utils import Utils

from cirrus.asl.pattern import Pattern

STEPS = 1_000_000
DEPTH = 400
WEIGHT = 1_000_000
LONGEST_TEXT = 1_000_000
CHARACTERS = 8_000_000
LONGEST_RANGE = 1_000_000


class Exhausted(RuntimeError):
    """The expression took more than its budget."""

    def __init__(self, text: str, code: str = "D1012") -> None:
        super().__init__(text)
        self.error = code


class Budget:
    """Watches the evaluations of one visit of a state; raises Exhausted.

    Values that share parts are weighed as if they were written out, for that is what many functions do.
    """

    __slots__ = ("characters", "depth", "held", "steps", "weights")

    def __init__(self) -> None:
        self.steps = STEPS
        self.depth = 0
        self.characters = CHARACTERS
        self.weights: dict[int, int] = {}
        self.held: list[Any] = []

    def enter(self, expression: Any, value: Any, environment: Any) -> None:
        """Before an expression is evaluated."""
        self.steps -= 1
        self.depth += 1
        if self.steps < 0:
            raise Exhausted("Expression evaluation timeout: too many steps")
        if self.depth > DEPTH:
            raise Exhausted("Stack overflow error: the expression is nested or recurses too deeply", "D1011")

    def leave(self, expression: Any, value: Any, environment: Any, result: Any) -> None:
        """After an expression was evaluated: what it gave is charged by size, for functions walk it unseen."""
        self.depth -= 1
        kind = result.__class__
        if kind is str:
            if len(result) > LONGEST_TEXT:
                raise Exhausted("The expression makes too long a string", "D3001")
            self.spend(len(result) >> 13)
        elif isinstance(result, Utils.RangeList):
            if result.size > LONGEST_RANGE:
                raise Exhausted("The expression makes too large an array", "D2014")
            self.spend(result.size >> 3)
        elif isinstance(result, list):
            self.weigh(result)
            self.spend(len(result) >> 3)
        elif isinstance(result, dict):
            self.weigh(result)

    def compare(self, one: Any, two: Any) -> None:
        """Before two values are compared to their depths."""
        if isinstance(one, dict | list) and isinstance(two, dict | list):
            self.spend(min(self.weigh(one), self.weigh(two)) >> 3)

    def weigh(self, value: Any) -> int:
        """How many values a container holds, written out."""
        known = self.weights.get(id(value))
        if known is not None and not isinstance(value, Utils.JList):
            return known
        stack = [(value, False)]
        while stack:
            top, open_ = stack.pop()
            below = top.values() if isinstance(top, dict) else top
            if open_:
                self.keep(top, below)
                continue
            self.spend(len(below) >> 4)
            stack.append((top, True))
            stack.extend(
                (item, False) for item in below if isinstance(item, dict | list) and id(item) not in self.weights
            )
        return self.weights[id(value)]

    def keep(self, container: Any, below: Any) -> None:
        """Note a container whose parts are known; it is held, so that no other takes its identity."""
        weight = 1 + sum(self.weights.get(id(item), 1) for item in below)
        if weight > WEIGHT:
            raise Exhausted("The expression makes too large a value", "D3001")
        self.weights[id(container)] = weight
        self.held.append(container)

    def spend(self, steps: int) -> None:
        """Count work as steps."""
        self.steps -= steps
        if self.steps < 0:
            raise Exhausted("Expression evaluation timeout: too many steps")

    def plain(self, value: Any, depth: int = 0) -> Any:
        """The result as JSON: copies of containers, nulls, whole numbers as integers; raises for a function."""
        self.spend(1)
        if depth > 250:
            raise Exhausted("The result is nested too deeply", "D1011")
        kind = value.__class__
        if kind is str:
            self.characters -= len(value)
            if self.characters < 0:
                raise Exhausted("The results are too long", "D3001")
            return value
        if kind is bool or kind is int or value is None:
            return value
        if value is Utils.NULL_VALUE:
            return None
        if kind is float:
            return plain_number(value)
        if isinstance(value, dict):
            return {key: self.plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.plain(item, depth + 1) for item in value]
        raise JException("T1006", -1, "function")


def plain_number(value: float) -> int | float:
    """A number as JSON writes it; raises for what is none."""
    if value != value or value in (float("inf"), float("-inf")):
        raise JException("D1001", -1, value)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def safe_pattern(pattern: str, flags: Any) -> Pattern:
    """A regular expression for the interpreter that cannot take for ever."""
    options = (re.IGNORECASE if flags.case_insensitive else 0) | (re.MULTILINE if flags.multiline else 0)
    return Pattern(pattern, options)
