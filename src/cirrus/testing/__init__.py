"""Contract suites that every backend of a port passes, and what they need: public."""
