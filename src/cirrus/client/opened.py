"""A deployment of a project, opened when something is asked of it: what every part of the client stands on."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from cirrus import app
from cirrus.flow.home import Home
from cirrus.settings import Deployment, Project, environment


class Opened:
    """A deployment of a project, by its name."""

    def __init__(self, deployment: str = "local", project: str | Path = ".") -> None:
        self.name = deployment
        self._folder = Path(project)

    def __repr__(self) -> str:
        return f"<cirrus.Client of {self.name!r} in {str(self._folder.resolve())!r}>"

    @cached_property
    def project(self) -> Project:
        """The project that the folder belongs to; ConfigError if there is none or it is wrong."""
        return app.open_project_of(self._folder, self.name)

    @cached_property
    def deployment(self) -> Deployment:
        """The deployment's settings; NotFound lists the deployments that there are."""
        return app.deployment(self.project, self.name)

    @cached_property
    def home(self) -> Home:
        """The deployment's ports, for what this class does not do."""
        return app.open_home(self.project, self.deployment)

    @property
    def environment(self) -> dict[str, str]:
        """The environment that programs are given: this process's, the deployment's variables, and where it stands."""
        where = self.deployment
        own = {
            "CIRRUS_DEPLOYMENT": where.name,
            "CIRRUS_PROJECT": str(self.project.folder),
            "CIRRUS_ROOT": str(where.root),
            "CIRRUS_DATA": where.data,
            "CIRRUS_CATALOG": where.catalog or "",
        }
        return environment() | self.variables | own

    @property
    def variables(self) -> dict[str, str]:
        """The deployment's variables: on AWS those of the parameter store, and over them those of cirrus.toml."""
        where = self.deployment
        stored = app.deployed_variables(where) if where.home == "aws" else {}
        return stored | dict(where.variables)
