"""The parts of the pool that need no process: frames, logs, queues, words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.adapters.local.backlog import NEVER, Backlog, Job
from cirrus.adapters.local.crew import waited
from cirrus.adapters.local.exit_status import ended
from cirrus.adapters.local.frames import SMALL, FrameReader, SendBuffer, deep_pipe, pack
from cirrus.adapters.local.log_buffer import LogBuffer, MarkedStream
from cirrus.core.scrub import Scrubber
from cirrus.ports.compute import Attempt, TaskSpec

FRAMES = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=20), st.binary(max_size=50)), max_size=8)
MARKER = b"\0end\n"


@given(FRAMES, st.integers(1, 30))
def test_frames_come_out_as_they_went_in_however_they_arrive(frames: list[tuple[int, bytes, bytes]], size: int) -> None:
    stream = b"".join(pack(*frame) for frame in frames)
    reader, found = FrameReader(), []
    for first in range(0, len(stream), size):
        reader.feed(stream[first : first + size])
        found += list(reader.frames())
    assert found == frames


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe whose end to write does not block."""
    theirs, ours = deep_pipe()
    os.set_blocking(ours, False)
    yield theirs, ours
    for end in (theirs, ours):
        with suppress(OSError):
            os.close(end)


def test_large_and_small_frames_go_through_a_full_pipe(pipe: tuple[int, int]) -> None:
    theirs, ours = pipe
    buffer, reader, found = SendBuffer(), FrameReader(), []
    frames = [(n, b"head", bytes([n % 256]) * (3 * SMALL if n % 3 == 0 else n)) for n in range(300)]
    for frame in frames:
        buffer.add(*frame)
    while len(found) < len(frames):
        buffer.flush(ours)
        reader.receive(theirs)
        found += list(reader.frames())
    assert found == frames
    assert not buffer


def test_what_is_sent_to_a_peer_that_is_gone_is_dropped(pipe: tuple[int, int]) -> None:
    theirs, ours = pipe
    os.close(theirs)
    buffer = SendBuffer()
    buffer.add(1, b"", b"")
    buffer.flush(ours)
    assert not buffer


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 50))
def test_log_keeps_both_ends_and_counts_the_rest(pieces: list[bytes], keep: int) -> None:
    log, whole = LogBuffer(keep), b"".join(pieces)
    for piece in pieces:
        log.write(piece)
    if len(whole) <= 2 * keep:
        assert log.getvalue() == whole
    else:
        gap = b"\n[... %d bytes left out ...]\n" % (len(whole) - 2 * keep)
        assert log.getvalue() == whole[:keep] + gap + whole[-keep:]


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_news_of_a_log_are_told_once(pieces: list[bytes]) -> None:
    log, told = LogBuffer(10_000), b""
    for piece in pieces:
        log.write(piece)
        told += log.take_new()
        assert log.take_new() == b""
    assert told == b"".join(pieces)


def test_news_that_were_left_out_are_counted() -> None:
    log = LogBuffer(4)
    log.write(b"abcdef")
    assert log.take_new() == b"abcdef"
    log.write(b"g" * 100 + b"wxyz")
    assert log.take_new() == b"\n[... 100 bytes left out ...]\nwxyz"


@given(st.lists(st.binary(max_size=20).filter(lambda part: MARKER not in part), max_size=8), st.integers(1, 9))
def test_marker_ends_an_attempt_however_it_arrives(parts: list[bytes], size: int) -> None:
    data = b"".join(part + MARKER for part in parts)
    stream, found, current = MarkedStream(MARKER), [], b""
    for first in range(0, len(data), size):
        for piece, end in stream.feed(data[first : first + size]):
            current += piece
            if end:
                found.append(current)
                current = b""
    assert found == data.split(MARKER)[:-1]
    assert current == b""


def backlog(**limits: int | None) -> Backlog:
    return Backlog({name: TaskSpec(name, "m:f", concurrency=limit) for name, limit in limits.items()})


def job(order: int, task: str = "a") -> Job:
    return Job(Attempt(str(order), task, b"{}"), order, None)


def test_attempt_that_waits_is_kept_without_secrets_that_came_since() -> None:
    one = Job(Attempt("1", "a", b"{}"), 1, None, Scrubber(["old secret"]))
    assert one.log.take_new() == b""  # somebody has looked already what it prints
    one.renew(Scrubber(["old secret", "new secret"]))
    one.log.write(b"the old secret and the new secret\n")
    assert one.printed() == b"the *** and the ***\n"


def test_attempt_that_prints_nothing_has_printed_nothing() -> None:
    assert job(1).printed() == b""


def test_first_come_first_served() -> None:
    waiting = backlog(a=None, b=None)
    for order, task in enumerate("abba"):
        waiting.add(job(order, task))
    taken = ""
    while found := waiting.next(()):
        queue, until = found
        taken += queue.jobs.popleft().attempt.task
        others = [one.order for other in "ab" if other != queue.spec.name for one in waiting[other].jobs]
        assert until == min(others, default=NEVER)
    assert taken == "abba"


def test_task_that_is_held_back_lets_others_pass() -> None:
    waiting = backlog(a=1, b=None)
    waiting.add(job(1, "a"))
    waiting.add(job(2, "b"))
    waiting["a"].holders = 1
    assert waiting["a"].full()
    assert waiting.next({waiting["a"]}) == (waiting["b"], NEVER)


def test_what_is_withdrawn_is_passed_over() -> None:
    waiting = backlog(a=None)
    for order in (1, 2):
        waiting.add(job(order))
    waiting["a"].jobs[0].withdrawn = True
    assert waiting.next(()) == (waiting["a"], NEVER)
    assert waiting["a"].jobs[0].order == 2


@given(st.permutations(range(8)))
def test_what_is_put_back_stands_at_its_old_place(orders: list[int]) -> None:
    queue = backlog(a=None)["a"]
    for order in orders:
        queue.put_back(job(order))
    assert [job.order for job in queue.jobs] == list(range(8))


def test_one_slow_attempt_is_remembered() -> None:
    queue = backlog(a=None)["a"]
    assert not queue.quick()
    queue.note(0.001)
    assert queue.quick()
    queue.note(1.0)
    assert not queue.quick()
    for _ in range(30):
        queue.note(0.001)
    assert queue.quick()


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (0, 0, "ended with exit code 0"),
        (3 << 8, 3, "ended with exit code 3"),
        (11, -11, "was killed by signal 11 (SIGSEGV)"),
        (9 | 0x80, -9, "was killed by signal 9 (SIGKILL; the kernel does that when memory runs out)"),
        (63, -63, "was killed by signal 63"),
    ],
)
def test_how_a_process_ended(status: int, code: int, words: str) -> None:
    assert waited(status) == code
    assert ended(code) == words
