"""How an exception of a task is told: one line, and a traceback that starts in the user's code."""

from __future__ import annotations

import traceback
from pathlib import Path

_RUNTIME = str(Path(__file__).parent)
_FROZEN = ("<frozen runpy>", "<frozen importlib._bootstrap>")


def describe(error: BaseException) -> tuple[str, str]:
    """`ValueError: boom`, and the traceback without the runtime's own frames."""
    report = traceback.TracebackException.from_exception(error)
    _leave_out_runtime(report)
    message = str(error).partition("\n")[0]
    name = type(error).__name__
    return f"{name}: {message}" if message else name, "".join(report.format())


def _leave_out_runtime(report: traceback.TracebackException) -> None:
    users = [frame for frame in report.stack if not frame.filename.startswith((_RUNTIME, *_FROZEN))]
    report.stack = traceback.StackSummary.from_list(users)
    for other in (report.__cause__, report.__context__, *(report.exceptions or ())):
        if other is not None:
            _leave_out_runtime(other)
