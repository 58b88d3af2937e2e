"""Sharing a limited task between control processes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.share import Part, grant

NOW = 1_800_000_000_000_000
parts = st.dictionaries(st.sampled_from("abcdef"), st.builds(Part, st.integers(0, 3), st.integers(0, 9)), min_size=1)


@given(st.integers(1, 12), parts, st.integers(0, 100))
def test_all_together_stay_within_the_limit_whoever_asks_first(limit, given_parts, seconds):
    now, held = NOW + seconds * 1_000_000, dict(given_parts)
    before = sum(part.held for part in held.values())
    for who in held:
        more = grant(limit, held, who, now)
        assert 0 <= more <= held[who].wanted
        held[who] = Part(held[who].held + more, held[who].wanted - more)
    assert sum(part.held for part in held.values()) <= max(limit, before)


@given(st.integers(1, 12), st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9), min_size=1))
def test_each_gets_its_share_when_all_are_free(limit, wants):
    held = {name: Part(0, wanted) for name, wanted in wants.items()}
    for who in held:
        more = grant(limit, held, who, NOW)
        assert more >= min(wants[who], limit // len(wants))
        held[who] = Part(more, wants[who] - more)


def test_one_alone_has_all_of_it():
    assert grant(5, {"a": Part(1, 9)}, "a", NOW) == 4
    assert grant(5, {"a": Part(1, 9), "b": Part(0, 0)}, "a", NOW) == 4


def test_a_single_place_goes_round():
    both = {"a": Part(0, 9), "b": Part(0, 9)}
    served = [[who for who in both if grant(1, both, who, NOW + n * 1_000_000)] for n in range(4)]
    assert served[0] != served[1]
    assert served == [served[0], served[1]] * 2
    assert all(len(one) == 1 for one in served)


def test_who_has_always_more_to_do_lets_the_others_in():
    assert grant(4, {"a": Part(3, 50), "b": Part(0, 50)}, "a", NOW) == 0
    assert grant(4, {"a": Part(2, 50), "b": Part(0, 1)}, "a", NOW) == 1
