"""What a run has made: the last years of the chosen countries, the charts, the run pages. Standard library only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from environments import STATE
from http_json import ServerError

Call = Callable[..., Any]
YEARS = 5
LAST_YEARS = f"""
    SELECT entity, year, hydro_percent, solar_percent, wind_percent, shw_percent
    FROM main.renewables.gold_shw_share WHERE entity = :country ORDER BY year DESC LIMIT {YEARS}
"""
HEADER = ("Entity", "Year", "Hydro %", "Solar %", "Wind %", "SHW %")


def print_result(call: Call) -> None:
    ingest, transform = (
        _latest_run(call, "renewables_ingest"),
        _latest_run(call, "renewables_transform"),
    )
    countries = json.loads(_parameter(transform, "countries"))
    print()
    print(_table(_rows(call, countries)))
    print("\nCharts")
    for chart in sorted(
        (STATE / "mounts" / "Volumes" / "main" / "renewables" / "reports").glob("*.png")
    ):
        print(f"  {chart.relative_to(Path.cwd()) if chart.is_relative_to(Path.cwd()) else chart}")
    print("Run pages")
    for run in (ingest, transform):
        print(f"  {run['run_name']:<22} {run['run_page_url']}")


def _latest_run(call: Call, name: str) -> Dict[str, Any]:
    job = call("GET", f"2.2/jobs/list?name={name}")["jobs"][0]
    run: Dict[str, Any] = call("GET", f"2.2/jobs/runs/list?job_id={job['job_id']}&limit=1")["runs"][
        0
    ]
    return run


def _parameter(run: Dict[str, Any], name: str) -> str:
    parameter = next(p for p in run["job_parameters"] if p["name"] == name)
    return str(parameter.get("value", parameter.get("default")))


def _rows(call: Call, countries: List[str]) -> List[Tuple[str, ...]]:
    """The last years of each country, in the order in which they were asked for."""
    warehouse = call("GET", "2.0/sql/warehouses")["warehouses"][0]["id"]
    rows: List[Tuple[str, ...]] = []
    for country in countries:
        body = {
            "warehouse_id": warehouse,
            "wait_timeout": "50s",
            "statement": LAST_YEARS,
            "parameters": [{"name": "country", "value": country}],
        }
        answer = call("POST", "2.0/sql/statements", body)
        if answer["status"]["state"] != "SUCCEEDED":
            raise ServerError(0, f"The result could not be read: {answer['status']}")
        found = answer["result"].get("data_array", [])
        rows += [
            (entity, year, *map(_percent, percents)) for entity, year, *percents in reversed(found)
        ]
    return rows


def _percent(value: Optional[str]) -> str:
    return "-" if value is None else f"{float(value):.2f}"


def _table(rows: List[Tuple[str, ...]]) -> str:
    cells = [HEADER, *rows]
    widths = [max(len(row[index]) for row in cells) for index in range(len(HEADER))]
    return "\n".join(
        "  ".join(
            f"{value:<{w}}" if i == 0 else f"{value:>{w}}"
            for i, (value, w) in enumerate(zip(row, widths))  # noqa: B905  (Python 3.9 has no strict)
        )
        for row in cells
    )
