"""State, queue, payloads, journal and outbox in one SQLite file: what is decided together commits together."""
