"""Cirrus turns a stream of satellite scenes into clean STAC data: never twice, never lost, never a mystery."""

__version__ = "0.1.0"
