"""Peers of the throughput benchmark: scripts that run in environments of their own and import nothing of cirrus."""
