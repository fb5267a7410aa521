"""The chart of one country: hydro, solar and wind stacked per year, and their sum as a line."""

from __future__ import annotations

import io

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

# Of Okabe and Ito's colours those that also differ by lightness, so that they can be told apart by
# colour-blind readers and in grey. https://jfly.uni-koeln.de/color/
COLOURS = {"hydro": "#0072B2", "wind": "#56B4E9", "solar": "#F0E442"}
GAPS = "A gap is a year without data."


def draw(years: pd.DataFrame, origin: str) -> Figure:
    """The chart of gold rows of one entity, one per year. A year or value that is missing stays empty.

    The footer has `origin`: where the numbers come from, and their date.
    """
    by_year = _without_holes(years)
    figure = Figure(figsize=(9, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    _stack(axes, by_year)
    axes.plot(
        by_year.index,
        by_year["shw_percent"],
        color="black",
        marker="o",
        markersize=3,
        label="SHW %",
    )
    _label(axes, f"{years['entity'].iloc[0]}: electricity from hydro, solar and wind")
    footer(figure, f"{origin} {GAPS}")
    return figure


def draw_overview(year: pd.DataFrame, origin: str) -> Figure:
    """The chart of gold rows of one year: one stacked bar per entity, the highest SHW % on top."""
    ordered = year.sort_values("shw_percent").set_index("entity")
    figure = Figure(figsize=(9, 1.5 + 0.25 * len(ordered)), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    left = pd.Series(0.0, index=ordered.index)
    for source, colour in COLOURS.items():
        percent = ordered[f"{source}_percent"]
        axes.barh(ordered.index, percent, left=left, color=colour, height=0.8, label=source)
        left = left + percent
    axes.set_xlabel("share of electricity generated")
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    _finish(axes, f"Electricity from hydro, solar and wind in {ordered['year'].iloc[0]}")
    footer(figure, origin)
    return figure


def footer(figure: Figure, text: str) -> None:
    figure.supxlabel(text, fontsize=7, x=0.01, ha="left", wrap=True)


def png(figure: Figure) -> bytes:
    """The figure as a PNG. The same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _without_holes(years: pd.DataFrame) -> pd.DataFrame:
    """One row for each year from the first to the last; empty for those that are missing."""
    by_year = years.set_index("year")
    return by_year.reindex(range(by_year.index.min(), by_year.index.max() + 1))


def _stack(axes: Axes, by_year: pd.DataFrame) -> None:
    bottom = pd.Series(0.0, index=by_year.index)
    for source, colour in COLOURS.items():
        percent = by_year[f"{source}_percent"]
        axes.bar(by_year.index, percent, bottom=bottom, color=colour, width=0.9, label=source)
        bottom = bottom + percent.fillna(0.0)


def _label(axes: Axes, title: str) -> None:
    axes.set_ylabel("share of electricity generated")
    axes.set_ylim(0, 100)
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _finish(axes, title)


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", pad=30)
    axes.spines[["top", "right"]].set_visible(False)
    # Above the bars, which may fill the axes.
    axes.legend(ncols=4, frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
