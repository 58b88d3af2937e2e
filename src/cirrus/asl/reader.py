"""A cursor over one line of text, for the small languages inside a definition."""

from __future__ import annotations

import re

SPACE = re.compile(r"[ \t\r\n]*")
INTEGER = re.compile(r"-?\d{1,18}")
QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Unreadable(ValueError):
    """The text does not follow the grammar."""


class Reader:
    """Reads forward; `at` is the next character's index."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def done(self) -> bool:
        """Whether all was read."""
        return self.at >= len(self.text)

    def peek(self) -> str:
        """The next character, or nothing."""
        return self.text[self.at : self.at + 1]

    def rest(self) -> str:
        """What follows, shortened and quoted for a message."""
        return repr(self.text[self.at : self.at + 20]) if not self.done else "end"

    def space(self) -> None:
        """Skip white space."""
        found = SPACE.match(self.text, self.at)
        assert found
        self.at = found.end()

    def accept(self, token: str) -> bool:
        """Read the token if it comes next."""
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def expect(self, token: str) -> None:
        """Read the token or raise Unreadable."""
        if not self.accept(token):
            raise Unreadable(f"expected '{token}' at character {self.at}, found {self.rest()}")

    def match(self, pattern: re.Pattern[str]) -> str | None:
        """Read what the pattern matches here, or nothing."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found.group()

    def integer(self) -> int:
        """Read a whole number."""
        found = self.match(INTEGER)
        if found is None:
            raise Unreadable(f"expected a whole number at character {self.at}, found {self.rest()}")
        return int(found)

    def quoted(self) -> str:
        """Read a string in single or double quotes; a backslash stands before a character meant as it is."""
        found = QUOTED.match(self.text, self.at)
        if found is None:
            raise Unreadable(f"expected a quoted name at character {self.at}, found {self.rest()}")
        self.at = found.end()
        return ESCAPE.sub(r"\1", found.group(1) if found.group(1) is not None else found.group(2))
