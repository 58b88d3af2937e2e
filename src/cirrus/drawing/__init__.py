"""Workflows as pictures: a definition's states and ways, laid out in layers, as Mermaid text or SVG. Pure."""
