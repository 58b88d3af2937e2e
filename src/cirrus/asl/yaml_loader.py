"""A YAML loader that gives JSON values only: dates stay text, `yes` and `no` are words."""

from __future__ import annotations

import re

import yaml


class JsonLoader(yaml.SafeLoader):
    """SafeLoader with JSON's scalars; text names for all members."""


JsonLoader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
JsonLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false|True|False)$"), list("tfTF"))
