"""JSONata expressions: compiled when loaded, evaluated within a budget, blind to the clock and the dice.

Imported only by definitions that hold an expression: the interpreter takes a while to load.
"""

from __future__ import annotations

import sys
from copy import copy
from typing import Any

_LIMIT = sys.getrecursionlimit()  # read first: importing the library changes it, so every import below stands late

from jsonata.jexception import JException  # noqa: E402
from jsonata.jsonata import Jsonata  # noqa: E402
from jsonata.utils import Utils  # noqa: E402

from cirrus.asl import data, failure  # noqa: E402
from cirrus.asl.budget import Budget, Exhausted, safe_pattern  # noqa: E402
from cirrus.asl.definition import Evaluate  # noqa: E402
from cirrus.asl.failure import Failure  # noqa: E402
from cirrus.asl.fields import is_expression  # noqa: E402
from cirrus.asl.jsonata_library import LIBRARY  # noqa: E402
from cirrus.asl.pattern import meter  # noqa: E402
from cirrus.asl.pike import TooCostly  # noqa: E402
from cirrus.asl.working import MISSING_RESULT  # noqa: E402

# The interpreter raises Python's recursion limit for the whole process when it is imported. Its own depth is
# bounded by the budget; this is what that depth needs.
sys.setrecursionlimit(max(_LIMIT, 6_000))

LONGEST = 256 * 1024


class Watched(Jsonata):  # type: ignore[misc]  # the interpreter is untyped
    """An expression that charges or mends what its callbacks do not see."""

    def apply_inner(self, proc: Any, args: Any, input: Any, environment: Any) -> Any:  # noqa: A002  # the library's name
        """As the library's, which prints what is no function."""
        if not self.is_function_like(proc):
            raise JException("T1006", 0)
        return super().apply_inner(proc, args, input, environment)

    def evaluate_wildcard(self, expr: Any, input: Any) -> Any:  # noqa: A002  # the library's name
        """As the library's, which takes quadratic time over arrays."""
        if isinstance(input, Utils.JList) and input.outer_wrapper and input:
            input = input[0]  # noqa: A001  # the library's name
        found: list[Any] = []
        below = list(input.values() if isinstance(input, dict) else input if isinstance(input, list) else ())
        for value in below:
            found.extend(self.flatten(value, None) if isinstance(value, list) else [value])
        flat = any(isinstance(value, list) for value in below)
        return Utils.JList(found) if flat else Utils.create_sequence_from_iter(found)

    def evaluate_group_expression(self, expr: Any, input: Any, environment: Any) -> Any:  # noqa: A002  # the library's
        """As the library's, which takes quadratic time over what falls into one group."""
        if isinstance(input, list):
            meter.budget.spend(len(input) ** 2 >> 12)
        return super().evaluate_group_expression(expr, input, environment)

    def evaluate_equality_expression(self, lhs: Any, rhs: Any, op: Any) -> Any:
        """As the library's."""
        meter.budget.compare(lhs, rhs)
        return super().evaluate_equality_expression(lhs, rhs, op)

    def evaluate_includes_expression(self, lhs: Any, rhs: Any) -> Any:
        """As the library's; an object is compared with each item."""
        if isinstance(lhs, dict | list) and isinstance(rhs, list):
            for item in rhs:
                meter.budget.compare(lhs, item)
        return super().evaluate_includes_expression(lhs, rhs)


class InvalidExpression(ValueError):
    """The text is no JSONata."""


def parse_expression(text: str) -> Jsonata:
    """The compiled form of `{% ... %}`; raises InvalidExpression."""
    inner = strip(text)
    if len(inner) > LONGEST:
        raise InvalidExpression(f"the expression is longer than {LONGEST} characters")
    try:
        compiled = Watched(inner, safe_pattern)
    except JException as error:
        raise InvalidExpression(message(error)) from None
    except RecursionError:
        raise InvalidExpression("the expression is nested too deeply") from None
    except Exception as error:  # the parser lets errors of its own slip
        raise InvalidExpression(f"the expression cannot be parsed: {error}") from None
    if compiled.errors:
        raise InvalidExpression(message(compiled.errors[0]))
    compiled.set_output_convert_nulls(False)
    compiled.environment = compiled.create_frame(LIBRARY)
    return compiled


def strip(text: str) -> str:
    """An expression without its delimiters."""
    return text.strip()[2:-2].strip()


def message(error: Exception) -> str:
    """An interpreter's error with its code, as AWS words it."""
    if isinstance(error, ZeroDivisionError):
        return "D1001: Number out of range: Infinity"
    code = getattr(error, "error", None)
    return f"{code}: {error}" if code else str(error) or type(error).__name__


def compile_value(value: Any, field: str) -> Evaluate:
    """A function of (data, environment) for a JSON value with expressions in it."""
    if is_expression(value):
        return compile_one(value, field)
    if isinstance(value, dict):
        members = [(key, compile_value(item, f"{field}/{key}")) for key, item in value.items()]
        return lambda data, env: {key: find(data, env) for key, find in members}
    if isinstance(value, list):
        items = [compile_value(item, f"{field}[{at}]") for at, item in enumerate(value)]
        return lambda data, env: [find(data, env) for find in items]
    return lambda data, env: value


def compile_one(text: str, field: str) -> Evaluate:
    """A function of (data, environment) for one expression."""
    compiled = parse_expression(text)
    inner = strip(text)

    def evaluate(_: Any, env: Any) -> Any:
        budget = env.budget
        if budget is None:
            budget = env.budget = Budget(env.step.at, lambda: env.random)
        budget.depth = 0
        before = budget.steps
        meter.budget = budget
        if not isinstance(getattr(Jsonata.CURRENT, "jsonata", None), Watched):
            Jsonata.CURRENT.jsonata = copy(compiled)  # another's expression was the last one in this thread
        try:
            found = compiled.evaluate(None, frame(env, budget))
            plain = None if found is None else budget.plain(found)
        except (Exhausted, TooCostly, JException, RecursionError, MemoryError) as error:
            reason = "D1011: Stack overflow error" if isinstance(error, RecursionError) else message(error)
            raise threw(inner, field, reason) from None
        except Exception as error:  # a defect of the interpreter fails the state, not the driver
            raise threw(inner, field, message(error)) from None
        finally:
            meter.budget = None
            env.step.effort += before - budget.steps
        if found is None:
            raise undefined(inner, field)
        return plain

    return evaluate


def frame(env: Any, budget: Budget) -> dict[str, Any]:
    """What an expression sees besides the functions of the language: `$states`, the variables, and its budget."""
    states = {"input": env.input, "context": env.context}
    if env.result is not MISSING_RESULT:
        states["result"] = env.result
    if env.error is not MISSING_RESULT:
        states["errorOutput"] = env.error
    bound: dict[str, Any] = {
        name: Utils.NULL_VALUE if value is None else value for name, value in env.variables.items()
    }
    bound["states"] = states
    bound["__evaluate_entry"] = budget.enter
    bound["__evaluate_exit"] = budget.leave
    return bound


def undefined(text: str, field: str) -> Failure:
    """The failure of an expression that gives nothing."""
    return Failure(
        failure.QUERY,
        f"The JSONata expression '{text}' specified for the field '{field}' returned nothing (undefined).",
        field=field,
    )


def threw(text: str, field: str, reason: str) -> Failure:
    """The failure of an expression that raises an error."""
    return Failure(
        failure.QUERY,
        f"The JSONata expression '{text}' specified for the field '{field}' threw an error during evaluation. {reason}",
        field=field,
    )


def wrong_type(text: Any, field: str, expected: str, found: Any) -> Failure:
    """The failure of an expression that gives another type than its field takes."""
    return Failure(
        failure.QUERY,
        f"The JSONata expression '{strip(text)}' specified for the field '{field}' returned an unexpected result "
        f"type. Expected '{expected}', but was '{type_name(found)}' for value: {data.text(found)}",
        field=field,
    )


def type_name(value: Any) -> str:
    """The JSON type of a value."""
    names: dict[type, str] = {
        dict: "object",
        list: "array",
        str: "string",
        bool: "boolean",
        int: "number",
        float: "number",
    }
    return names.get(type(value), "null")
