"""Why the pipeline stops. Each message names the offending thing, its value and the remedy."""


class PipelineError(Exception):
    """A reason to stop that the person who runs the pipeline can act on."""


class MissingParameter(PipelineError):
    """A task was started without a parameter that it needs."""


class SourceUnreachable(PipelineError):
    """The source does not exist or does not answer."""


class NoSourceFiles(PipelineError):
    """The source has no CSV file."""


class UnexpectedHeader(PipelineError):
    """A CSV has not the columns of an OWID share-electricity file."""


class BrokenLanding(PipelineError):
    """A landed file has lost the record of where it came from."""


class BadData(PipelineError):
    """More rows break a rule than the bundle allows."""


class UnknownCountry(PipelineError):
    """No source reports on the entity that was asked for."""
