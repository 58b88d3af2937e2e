"""How much an expression may do: steps, depth, the size of what it makes, and patterns that cannot run away."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

from jsonata.jexception import JException
from jsonata.utils import Utils

from cirrus.asl.pattern import Pattern

STEPS = 1_000_000
DEPTH = 400
WEIGHT = 1_000_000
LONGEST_TEXT = 1_000_000
SHORT_TEXT = 4_096
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

    __slots__ = ("at", "characters", "depth", "held", "random", "steps", "texts", "weights")

    def __init__(self, at: float = 0.0, random: Callable[[], Random] = Random) -> None:
        self.at = at
        self.random = random
        self.steps = STEPS
        self.depth = 0
        self.characters = CHARACTERS
        self.texts: dict[int, str] = {}
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
        """After an expression was evaluated."""
        self.depth -= 1
        self.make(result)

    def take(self, arguments: Any) -> None:
        """Before a function of the language does its work, most of which nobody sees."""
        self.spend(1)
        for value in arguments if isinstance(arguments, list) else ():
            if isinstance(value, str | list | dict):
                self.spend(len(value) >> (13 if isinstance(value, str) else 3))

    def make(self, result: Any) -> None:
        """Charge what an expression or a function gave by its size, for functions walk it unseen."""
        kind = result.__class__
        if kind is str:
            self.text(result)
        elif isinstance(result, Utils.RangeList):
            if result.size > LONGEST_RANGE:
                raise Exhausted("The expression makes too large an array", "D2014")
            self.spend(result.size >> 3)
        elif isinstance(result, list):
            self.weigh(result)
            self.spend(len(result) >> 3)
        elif isinstance(result, dict):
            self.weigh(result)

    def text(self, text: str) -> None:
        """Charge a string: one that is long by its memory when it is first seen, for it is held, and by its use."""
        size = len(text)
        if size <= SHORT_TEXT:
            self.spend(size >> 8)
            return
        fits(size)
        self.spend(size >> 13)
        if id(text) not in self.texts:
            self.texts[id(text)] = text
            self.spend(size >> 6)

    def compare(self, one: Any, two: Any) -> None:
        """Before two values are compared to their depths."""
        if isinstance(one, dict | list) and isinstance(two, dict | list):
            self.spend(min(self.weigh(one), self.weigh(two)) >> 3)

    def weigh(self, value: Any) -> int:
        """How many values a container holds, written out; sixteen characters of a string count as one."""
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
        weight = 1 + sum(
            1 + (len(item) >> 4) if item.__class__ is str else self.weights.get(id(item), 1) for item in below
        )
        if isinstance(container, dict):
            weight += sum(map(len, container)) >> 4
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


def fits(size: int) -> None:
    """Raise Exhausted for a string that is too long, before it is made."""
    if size > LONGEST_TEXT:
        raise Exhausted("The expression makes too long a string", "D3001")


def plain_number(value: float) -> int | float:
    """A number as JSON writes it; raises for what is none."""
    if value != value or value in (float("inf"), float("-inf")):
        raise JException("D1001", -1, value)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def safe_pattern(pattern: str, flags: Any) -> Pattern:
    """A regular expression for the interpreter that cannot take for ever."""
    options = (re.IGNORECASE if flags.case_insensitive else 0) | (re.MULTILINE if flags.multiline else 0)
    return Pattern(pattern, options)
