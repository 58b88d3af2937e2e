"""Regular expressions that cannot run away.

Python's own engine backtracks: fast on most patterns, for ever on some. It is used where the pattern's shape and
the text's length bound what it can do; elsewhere all ways are followed side by side, in time linear in the text.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from cirrus.asl.pike import Program, TooCostly, compile_program

AFFORDABLE = 1_000_000
"""Steps of backtracking, by the estimate of `degree`, that Python's engine may take."""

LONGEST_TEXT = 2_000_000
MANY = 20
MATCH = 8
"""Steps that one match costs."""

meter = threading.local()
"""`meter.budget`, where it is set, is told how many steps a match may take."""


def charge(steps: int) -> None:
    """Tell the meter."""
    budget = getattr(meter, "budget", None)
    if budget is not None:
        budget.spend(steps)


class Pattern:
    """A compiled pattern with the methods of `re.Pattern` that the interpreter uses; raises TooCostly."""

    def __init__(self, text: str, flags: int) -> None:
        self.compiled = re.compile(text, flags)
        self.degree = degree(parser.parse(text, flags))
        self._program: Program | None = None

    def engine(self, text: str) -> Any:
        """What matches this text: Python's engine if it can afford to."""
        worst = AFFORDABLE if self.degree is None else (len(text) + 1) ** (self.degree + 1)
        if worst < AFFORDABLE:
            charge(worst >> 10)
            return self.compiled
        if self._program is None:
            self._program = compile_program(self.compiled.pattern, self.compiled.flags, charge)
        return self._program

    def search(self, text: str) -> Any:
        """The first match, or None."""
        return next(self.finditer(text), None)

    def match(self, text: str) -> Any:
        """A match at the start, or None."""
        found = self.search(text)
        return found if found is not None and found.start() == 0 else None

    def finditer(self, text: str) -> Iterator[Any]:
        """All matches that do not overlap; each is charged, for what is made of it takes memory."""
        for found in self.engine(text).finditer(text):
            charge(MATCH)
            yield found

    def sub(self, replacement: str | Callable[[Any], str], text: str, count: int = 0) -> str:
        r"""The text with matches replaced; a string may name groups as `\g<1>`."""
        template = replacement if callable(replacement) else self.filler(replacement)
        parts, last, size = [], 0, len(text)
        for number, found in enumerate(self.finditer(text)):
            if count and number == count:
                break
            filled = template(found)
            size += len(filled)
            bounded(size)
            parts += [text[last : found.start()], filled]
            last = found.end()
        return "".join([*parts, text[last:]])

    def filler(self, template: str) -> Callable[[Any], str]:
        """A function that fills a replacement with a match's groups."""
        pieces = re.split(r"\\g<(\d+)>", template)
        for number in pieces[1::2]:
            if int(number) > self.compiled.groups:
                raise re.error(f"invalid group reference {number} at position 3")  # the words the interpreter reads

        groups, fixed = Counter(int(piece) for piece in pieces[1::2]), sum(map(len, pieces[::2]))

        def fill(found: Any) -> str:
            bounded(fixed + sum(times * len(found.group(number) or "") for number, times in groups.items()))
            return "".join(
                (found.group(int(piece)) or "") if at % 2 else piece.replace("\\\\", "\\")
                for at, piece in enumerate(pieces)
            )

        return fill

    def split(self, text: str, maxsplit: int = 0) -> list[str]:
        """The parts between matches."""
        parts, last = [], 0
        for number, found in enumerate(self.finditer(text)):
            if maxsplit and number == maxsplit:
                break
            parts.append(text[last : found.start()])
            last = found.end()
        return [*parts, text[last:]]


def bounded(size: int) -> None:
    """Raise TooCostly for a text that grows too long, before it is made."""
    if size > LONGEST_TEXT:
        raise TooCostly("The replacements make too long a string")


def degree(tree: Any) -> int | None:
    """How many open repetitions can share a text, None where they are nested: the exponent of the worst case."""
    total = 0
    for code, value in tree:
        found = _degree(code, value)
        if found is None:
            return None
        total += found
    return total


def _degree(code: Any, value: Any) -> int | None:
    if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        _, most, below = value
        inner = degree(below)
        if inner is None or (inner and most > MANY):
            return None
        if most > MANY:
            return 1
        return inner * most if inner else (1 if most > 1 and not _plain(below) else 0)
    if code is op.SUBPATTERN:
        return degree(value[-1])
    if code is op.BRANCH:
        inner_all = [degree(one) for one in value[1]]
        return None if None in inner_all else max([1, *(one for one in inner_all if one is not None)])
    if code in (op.ASSERT, op.ASSERT_NOT):
        return degree(value[1])
    if code is op.ATOMIC_GROUP:
        return degree(value)
    return 2 if code is op.GROUPREF else 0


def _plain(tree: Any) -> bool:
    """Whether a part takes exactly one character, so that there is one way to repeat it so often."""
    return len(tree) == 1 and tree[0][0] in (op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY)
