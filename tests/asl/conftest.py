"""Property tests of the engine run without a deadline: the machine may be busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("asl", deadline=None, max_examples=100)
settings.load_profile("asl")
