"""Why the pipeline stops. Each message names the offending thing, its value and the remedy."""


class PipelineError(Exception):
    """A reason to stop that the person who runs the pipeline can act on."""


class MissingParameter(PipelineError):
    """A task was started without a parameter that it needs."""


class UnboundParameter(PipelineError):
    """A SQL file has a parameter that nothing gives a value."""


class SourceUnreachable(PipelineError):
    """The source does not exist or does not answer."""


class ChangedSource(PipelineError):
    """A source file is not, or no more, what its source said it was."""


class CredentialsInUri(PipelineError):
    """A source URI holds a user, a password or a signature."""


class MissingDriver(PipelineError):
    """A source needs a Python package that is not installed."""


class NoSourceFiles(PipelineError):
    """The source has no CSV file."""


class UnfitFile(PipelineError):
    """A file cannot be loaded as it is; it goes to quarantine as a whole."""


class UnexpectedHeader(UnfitFile):
    """A CSV has not the columns of an OWID share-electricity file."""


class BrokenFile(UnfitFile):
    """A file is no CSV in UTF-8, or one with rows of different lengths."""


class BrokenLanding(PipelineError):
    """A landed file has lost the record of where it came from."""


class LostRows(PipelineError):
    """Rows that were read are neither in silver nor in quarantine."""


class OtherRefresh(PipelineError):
    """Another refresh has brought files to silver meanwhile."""


class BadData(PipelineError):
    """More rows break a rule than the bundle allows."""


class UnknownCountry(PipelineError):
    """No source reports on the entity that was asked for."""


class NoSession(PipelineError):
    """There is no engine at the address, or no workspace in the configuration, to run a step."""


class OtherColumnType(PipelineError):
    """A table that exists has a column of another type than the pipeline writes."""
