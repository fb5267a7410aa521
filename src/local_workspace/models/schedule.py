"""When a job is meant to run: stored, validated and shown. The local workspace fires none of these.

https://docs.databricks.com/api/workspace/jobs/create (`schedule`, `trigger`, `continuous`).
"""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import available_timezones

from local_workspace.errors import InvalidParameterValue
from local_workspace.models.quartz import is_quartz

_EXCLUSIVE = ("schedule", "trigger", "continuous", "triggers")
_OFFSET = re.compile(r"(GMT|UTC)([+-]\d{1,2}(:\d{2})?)?")


def check_schedule(settings: dict[str, Any]) -> None:
    """Refuses two kinds of schedule at once, a bad cron expression and an unknown time zone."""
    present = [name for name in _EXCLUSIVE if settings.get(name)]
    if len(present) > 1:
        raise InvalidParameterValue(f"Only one of {', '.join(_EXCLUSIVE)} can be set: {present}.")
    schedule = settings.get("schedule")
    if not schedule:
        return
    expression, zone = schedule["quartz_cron_expression"], schedule["timezone_id"]
    if not is_quartz(expression):
        raise InvalidParameterValue(
            f"Invalid quartz_cron_expression: {expression}. Databricks uses Quartz cron syntax, "
            "which is different from the standard cron syntax. See "
            "http://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html "
            "for more details."
        )
    if zone not in available_timezones() and not _OFFSET.fullmatch(zone):
        raise InvalidParameterValue(
            f"Invalid timezone_id: {zone}. Use a name such as Europe/Zurich."
        )
