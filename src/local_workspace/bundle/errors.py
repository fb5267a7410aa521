"""What can be wrong with a bundle, one class per way.

Each message names the file, the key, the value and the remedy.
"""

from __future__ import annotations

from local_workspace.errors import LocalWorkspaceError


class BundleError(LocalWorkspaceError):
    """Anything that keeps a bundle from being deployed."""


class BundleNotFound(BundleError):
    """The folder has no databricks.yml."""


class InvalidYaml(BundleError):
    """A file is no YAML, or not of the shape that a bundle has."""


class MissingFile(BundleError):
    """A file that the bundle names is not there, or is not of the kind that is needed."""


class MergeConflict(BundleError):
    """Two files, or a file and a target, give one key values that do not go together."""


class DuplicateKey(BundleError):
    """Two resources have one key."""


class UnknownTarget(BundleError):
    """No such target, or none chosen where there is no default."""


class UnknownVariable(BundleError):
    """A `${...}` or an assignment names something that the bundle does not define."""


class InvalidVariable(BundleError):
    """A variable has no value, or one of the wrong kind."""


class ReferenceCycle(BundleError):
    """Values refer to each other in a circle."""


class InvalidTarget(BundleError):
    """A target breaks a rule of its mode."""


class UnsupportedSetting(BundleError):
    """Databricks has it, this deployer has not."""


class InvalidSetting(BundleError):
    """A resource has a value of the wrong kind."""


class BuildFailed(BundleError):
    """An artifact's build command failed or left no file."""


class MissingWheel(BundleError):
    """No file matches a library's path."""


class DeploymentLocked(BundleError):
    """Another deployment of the same target is under way, or died without releasing its lock."""


class DestructiveChange(BundleError):
    """The change would delete a schema or volume with its data."""


class IncompatibleState(BundleError):
    """The deployment state in the workspace was written by something newer."""
