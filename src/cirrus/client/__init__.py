"""The client: everything that an operator does, from Python; the command line stands on it."""

from __future__ import annotations

from cirrus.client.client import Client as Client
