"""How an exception of a task is told: one line, and a traceback that starts in the user's code."""

from __future__ import annotations

import traceback
from pathlib import Path

import IPython

from local_workspace.reason import reason

MAX_MESSAGE, MAX_TRACE = 10_000, 1_000_000
"""Characters."""
_NOT_THE_USERS = (
    str(Path(__file__).parent),
    str(Path(IPython.__file__).parent),
    "<frozen runpy>",
    "<frozen importlib._bootstrap>",
)


def describe(error: BaseException) -> tuple[str, str]:
    """`ValueError: boom`, and the traceback without the runtime's own frames, both cut to a size that can be shown."""
    report = traceback.TracebackException.from_exception(error)
    _leave_out_runtime(report)
    # The report's text, because an exception of the user's may fail when it is asked for its own.
    message = reason(str(report))[:MAX_MESSAGE]
    name = type(error).__name__
    trace = "".join(report.format())
    return f"{name}: {message}" if message else name, trace[-MAX_TRACE:]


def _leave_out_runtime(report: traceback.TracebackException) -> None:
    users = [frame for frame in report.stack if not frame.filename.startswith(_NOT_THE_USERS)]
    report.stack = traceback.StackSummary.from_list(users)
    for other in (report.__cause__, report.__context__, *(report.exceptions or ())):
        if other is not None:
            _leave_out_runtime(other)
