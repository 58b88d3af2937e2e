"""Deploying on AWS: a project's deployment as a CloudFormation template, its code as zip files, and its stack."""

from __future__ import annotations

from cirrus.errors import MissingExtra

try:
    import troposphere as troposphere
except ImportError:
    raise MissingExtra("cirrus deploy", "deploy") from None
