"""Pure nouns and rules: payload, ids, state, chaining, events; no I/O, no clock, no randomness."""
