"""Calls of intrinsic functions, `States.Format('{}', $.a)`: parsed when loaded, run as nested closures."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from cirrus.asl import data
from cirrus.asl.failure import INTRINSIC, Failure, runtime
from cirrus.asl.intrinsics import ESCAPE, PURE, RANDOM, IntrinsicError, cut_template
from cirrus.asl.paths import MISSING, Environment, InvalidPath, Path, parse_path
from cirrus.asl.reader import Reader, Unreadable

NAME = re.compile(r"States\.[A-Za-z0-9]+")
STRING = re.compile(r"'((?:[^'\\]|\\['\\{}])*)'", re.DOTALL)
NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][-+]?\d{1,3})?")
LITERAL = re.compile(r"true|false|null")
PATH_END = re.compile(r"[,()\s]")
WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
DEEPEST = 10
LONGEST = 10_000


class CallEnvironment(Environment, Protocol):
    """What calls read: an environment with random numbers."""

    @property
    def random(self) -> Any:
        """The step's random numbers."""


Argument = Callable[[Any, CallEnvironment], Any]


class InvalidCall(ValueError):
    """The text is no call of an intrinsic function."""


def parse_call(text: str) -> tuple[Argument, tuple[Path, ...]]:
    """Compile a call into a function of (data, environment); also gives the paths in it. Raises InvalidCall."""
    if len(text) > LONGEST:
        raise InvalidCall(f"the call is longer than {LONGEST} characters")
    parser = _CallParser(Reader(text))
    try:
        call = parser.whole()
    except (Unreadable, InvalidPath) as error:
        raise InvalidCall(f"'{text[:200]}' is no intrinsic function call: {error}") from None
    return call, tuple(parser.paths)


class _CallParser:
    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.paths: list[Path] = []

    def whole(self) -> Argument:
        call = self.call(1)
        self.reader.space()
        if not self.reader.done:
            raise Unreadable(f"unexpected {self.reader.rest()} after the call")
        return call

    def call(self, depth: int) -> Argument:
        reader = self.reader
        start = reader.at
        name = reader.match(NAME)
        if name not in PURE and name not in RANDOM:
            raise Unreadable(f"{name or reader.rest()} is no intrinsic function")
        if depth > DEEPEST:
            raise Unreadable(f"calls are nested more than {DEEPEST} deep")
        reader.space()
        reader.expect("(")
        arguments = self.arguments(depth, template=name == "States.Format")
        function, fewest, most = PURE.get(name) or RANDOM[name]
        if not fewest <= len(arguments) <= most:
            raise Unreadable(f"{name} takes {fewest} to {most} arguments, found {len(arguments)}")
        return _compile(reader.text[start : reader.at], function, arguments, name in RANDOM)

    def arguments(self, depth: int, template: bool) -> list[Argument]:
        reader = self.reader
        found: list[Argument] = []
        reader.space()
        while not reader.accept(")"):
            if found:
                reader.expect(",")
                reader.space()
            found.append(self.argument(depth, template and not found))
            reader.space()
        return found

    def argument(self, depth: int, template: bool) -> Argument:
        reader = self.reader
        if reader.peek() == "$":
            return self.path()
        if reader.text.startswith("States.", reader.at):
            return self.call(depth + 1)
        literal = self.literal(template)
        return lambda data, env: literal

    def path(self) -> Argument:
        start, depth, quote = self.reader.at, 0, ""
        text = self.reader.text
        end = start
        while end < len(text):
            char = text[end]
            if quote:
                end += char == "\\"
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            elif char in "[(":
                depth += 1
            elif char in "])":
                if depth == 0:
                    break
                depth -= 1
            elif depth == 0 and PATH_END.match(char):
                break
            end += 1
        path = parse_path(text[start:end])
        self.reader.at = end
        self.paths.append(path)
        return _finder(path)

    def literal(self, template: bool) -> Any:
        reader = self.reader
        found = STRING.match(reader.text, reader.at)
        if found:
            reader.at = found.end()
            return cut_template(found[1]) if template else ESCAPE.sub(r"\1", found[1])
        word = reader.match(LITERAL)
        if word:
            return WORDS[word]
        number = reader.match(NUMBER)
        if number is None:
            raise Unreadable(f"expected an argument at character {reader.at}, found {reader.rest()}")
        return float(number) if set(number) & set(".eE") else int(number)


def _finder(path: Path) -> Argument:
    def find(value: Any, env: CallEnvironment) -> Any:
        found = path.find(value, env)
        if found is MISSING:
            document = data.text(path.document(value, env))
            raise runtime(
                f"The JsonPath argument for the field '{path.text}' could not be found in the input '{document}'"
            )
        return found

    return find


def _compile(text: str, function: Callable[..., Any], arguments: list[Argument], dice: bool) -> Argument:
    def call(value: Any, env: CallEnvironment) -> Any:
        given = [argument(value, env) for argument in arguments]
        try:
            return function(env.random, *given) if dice else function(*given)
        except (IntrinsicError, OverflowError, UnicodeError) as error:
            raise Failure(INTRINSIC, f"The function '{text}' had the following error: {error}") from None

    return call
