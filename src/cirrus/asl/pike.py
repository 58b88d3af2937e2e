"""A regular expression engine that follows all ways side by side: time linear in text times pattern.

It takes what Python's parser makes of a pattern and gives the same matches, leftmost and by preference; patterns
with lookaround or back references are beyond it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LONGEST_PROGRAM = 5_000
STEPS = 5_000_000

Test = Callable[[str], bool]
Slots = tuple[int | None, ...]

CHAR, SPLIT, JUMP, SAVE, AT, DONE = range(6)


class TooCostly(RuntimeError):
    """The pattern needs more than is allowed on this text."""


@dataclass(frozen=True, slots=True)
class Match:
    """A match, as `re.Match` shows it."""

    string: str
    slots: Slots

    def group(self, number: int = 0) -> str | None:
        """The text of a group, None if it took no part."""
        start, end = self.slots[2 * number], self.slots[2 * number + 1]
        return None if start is None or end is None else self.string[start:end]

    def groups(self) -> tuple[str | None, ...]:
        """The texts of all groups."""
        return tuple(self.group(number) for number in range(1, len(self.slots) // 2))

    def start(self) -> int:
        """Where the match begins."""
        return self.slots[0] or 0

    def end(self) -> int:
        """Where it ends."""
        return self.slots[1] or 0


def compile_program(text: str, flags: int, charge: Callable[[int], None] | None = None) -> Program:
    """The program of a pattern, which tells `charge` of its work; raises TooCostly for what is beyond it."""
    tree = parser.parse(text, flags)
    compiler = _Compiler(tree.state.flags)
    compiler.emit(SAVE, 0)
    compiler.sequence(tree)
    compiler.emit(SAVE, 1)
    compiler.emit(DONE)
    return Program(compiler.code, tree.state.groups, charge)


class Program:
    """A compiled pattern."""

    def __init__(self, code: list[list[Any]], groups: int, charge: Callable[[int], None] | None) -> None:
        self.code = code
        self.charge = charge
        self.groups = groups

    def finditer(self, text: str) -> Iterator[Match]:
        """All matches that do not overlap; raises TooCostly."""
        at, left = 0, [STEPS]
        while at <= len(text):
            before = left[0]
            slots = self.search(text, at, left)
            if self.charge is not None:
                self.charge((before - left[0]) >> 3)
            if slots is None:
                return
            yield Match(text, slots)
            end = slots[1] or 0
            at = end + 1 if end == slots[0] else end

    def search(self, text: str, at: int, left: list[int]) -> Slots | None:
        """The slots of the first match from `at`."""
        empty: Slots = (None,) * (2 * self.groups)
        found: Slots | None = None
        threads: list[tuple[int, Slots]] = []
        for position in range(at, len(text) + 1):
            if found is None:
                seen = {number for number, _ in threads}
                self.follow(0, empty, text, position, threads, seen, left)
            if not threads:
                if found is not None:
                    break
                continue
            threads, found = self.advance(threads, text, position, found, left)
        return found

    def advance(
        self,
        threads: list[tuple[int, Slots]],
        text: str,
        position: int,
        found: Slots | None,
        left: list[int],
    ) -> tuple[list[tuple[int, Slots]], Slots | None]:
        """One character on: the threads that live, and the match that one of them completed."""
        following: list[tuple[int, Slots]] = []
        seen: set[int] = set()
        char = text[position : position + 1]
        left[0] -= len(threads)
        if left[0] < 0:
            raise TooCostly("The regular expression takes too many steps on this text")
        for number, slots in threads:
            instruction = self.code[number]
            if instruction[0] == DONE:
                return following, slots
            if char and instruction[1](char):
                self.follow(number + 1, slots, text, position + 1, following, seen, left)
        return following, found

    def follow(
        self,
        number: int,
        slots: Slots,
        text: str,
        position: int,
        threads: list[tuple[int, Slots]],
        seen: set[int],
        left: list[int],
    ) -> None:
        """Add what can be reached without a character, the preferred first."""
        stack = [(number, slots)]
        while stack:
            number, slots = stack.pop()
            if number in seen:
                continue
            seen.add(number)
            left[0] -= 1
            kind, *values = self.code[number]
            if kind == JUMP:
                stack.append((values[0], slots))
            elif kind == SPLIT:
                stack += [(values[1], slots), (values[0], slots)]
            elif kind == SAVE:
                slot = values[0]
                stack.append((number + 1, (*slots[:slot], position, *slots[slot + 1 :])))
            elif kind == AT:
                if values[0](text, position):
                    stack.append((number + 1, slots))
            else:
                threads.append((number, slots))


class _Compiler:
    def __init__(self, flags: int) -> None:
        self.code: list[list[Any]] = []
        self.flags = flags

    def emit(self, *instruction: Any) -> int:
        if len(self.code) >= LONGEST_PROGRAM:
            raise TooCostly("The regular expression is too long for this text")
        self.code.append(list(instruction))
        return len(self.code) - 1

    def sequence(self, tree: Any) -> None:
        for code, value in tree:
            self.node(code, value)

    def node(self, code: Any, value: Any) -> None:
        if code in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            self.emit(CHAR, test_of(code, value, self.flags))
        elif code is op.SUBPATTERN:
            self.group(value[0], value[-1])
        elif code is op.BRANCH:
            self.branch(value[1])
        elif code in (op.MAX_REPEAT, op.MIN_REPEAT):
            self.repeat(*value, greedy=code is op.MAX_REPEAT)
        elif code is op.AT:
            self.emit(AT, anchor(value, self.flags))
        else:
            raise TooCostly(f"A regular expression with {str(code).lower()} may not be used on so long a text")

    def group(self, number: int | None, tree: Any) -> None:
        if number is None:
            self.sequence(tree)
            return
        self.emit(SAVE, 2 * number)
        self.sequence(tree)
        self.emit(SAVE, 2 * number + 1)

    def branch(self, ways: list[Any]) -> None:
        ends = []
        for way in ways[:-1]:
            split = self.emit(SPLIT, len(self.code) + 1, 0)
            self.sequence(way)
            ends.append(self.emit(JUMP, 0))
            self.code[split][2] = len(self.code)
        self.sequence(ways[-1])
        for end in ends:
            self.code[end][1] = len(self.code)

    def repeat(self, least: int, most: Any, tree: Any, *, greedy: bool) -> None:
        for _ in range(least):
            self.sequence(tree)
        if most is op.MAXREPEAT:
            split = self.emit(SPLIT, 0, 0)
            self.sequence(tree)
            self.emit(JUMP, split)
            self.fork(split, greedy)
            return
        splits = []
        for _ in range(most - least):
            splits.append(self.emit(SPLIT, 0, 0))
            self.sequence(tree)
        for split in splits:
            self.fork(split, greedy)

    def fork(self, split: int, greedy: bool) -> None:
        """Point a split at its body, which follows it, and at what comes next."""
        ways = [split + 1, len(self.code)]
        self.code[split][1:] = ways if greedy else ways[::-1]


def test_of(code: Any, value: Any, flags: int) -> Test:
    """What a character must be."""
    fold = bool(flags & re.IGNORECASE)
    if code is op.ANY:
        return (lambda char: True) if flags & re.DOTALL else (lambda char: char != "\n")
    if code in (op.LITERAL, op.NOT_LITERAL):
        wanted = {chr(value), *((chr(value).lower(), chr(value).upper()) if fold else ())}
        return (lambda char: char in wanted) if code is op.LITERAL else (lambda char: char not in wanted)
    negate = bool(value) and value[0][0] is op.NEGATE
    tests = [member(*part) for part in value if part[0] is not op.NEGATE]

    def test(char: str) -> bool:
        chars = {char, char.lower(), char.upper()} if fold else (char,)
        return any(one(each) for each in chars for one in tests) is not negate

    return test


def member(code: Any, value: Any) -> Test:
    """One part of a character class."""
    if code is op.LITERAL:
        return lambda char: char == chr(value)
    if code is op.RANGE:
        low, high = chr(value[0]), chr(value[1])
        return lambda char: len(char) == 1 and low <= char <= high
    return CATEGORIES[value]


def is_word(char: str) -> bool:
    """Whether a character is a letter, a digit or an underscore."""
    return char.isalnum() or char == "_"


def is_digit(char: str) -> bool:
    """Whether a character is a decimal digit."""
    return len(char) == 1 and unicodedata.category(char) == "Nd"


CATEGORIES: dict[Any, Test] = {
    op.CATEGORY_DIGIT: is_digit,
    op.CATEGORY_NOT_DIGIT: lambda char: not is_digit(char),
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    op.CATEGORY_WORD: is_word,
    op.CATEGORY_NOT_WORD: lambda char: not is_word(char),
}


def at_boundary(text: str, at: int) -> bool:
    """Whether a word begins or ends here."""
    before = at > 0 and is_word(text[at - 1])
    after = at < len(text) and is_word(text[at])
    return before is not after


def anchor(code: Any, flags: int) -> Callable[[str, int], bool]:
    """What must hold between two characters."""
    if code is op.AT_BOUNDARY:
        return at_boundary
    if code is op.AT_NON_BOUNDARY:
        return lambda text, at: not at_boundary(text, at)
    lines = bool(flags & re.MULTILINE)
    if code is op.AT_BEGINNING:
        return lambda text, at: at == 0 or (lines and text[at - 1] == "\n")
    if code is op.AT_BEGINNING_STRING:
        return lambda text, at: at == 0
    if code is op.AT_END_STRING:
        return lambda text, at: at == len(text)
    return lambda text, at: at_end(text, at) or (lines and text[at] == "\n")


def at_end(text: str, at: int) -> bool:
    """Whether this is the end, or only a line's end is left."""
    return at == len(text) or (at == len(text) - 1 and text[at] == "\n")
