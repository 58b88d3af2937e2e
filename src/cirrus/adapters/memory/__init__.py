"""Small real backends in memory, for tests and trials."""
