"""The charts: one entity's hydro, solar and wind per year with their sum, and the ranking of a year."""

from __future__ import annotations

import io
import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

# Of Okabe and Ito's colours those that also differ by lightness, so that they can be told apart by
# colour-blind readers and in grey. https://jfly.uni-koeln.de/color/
COLOURS = {"hydro": "#0072B2", "wind": "#56B4E9", "solar": "#F0E442"}
# The lightest of them would fade into the paper.
OUTLINE: dict[str, Any] = {"edgecolor": "#444444", "linewidth": 0.4}
GREY = "#444444"
GAPS = "No bar: not reported. No line: not all three are."


def draw(years: pd.DataFrame, origin: str) -> Figure:
    """The chart of gold rows of one entity, one per year. A year or value that is missing stays empty.

    The footer has `origin`: where the numbers come from, and their date.
    """
    by_year = _without_holes(years)
    figure, axes = _figure(height=5)
    _stack(axes, by_year)
    _line(axes, by_year["shw_percent"])
    _scale_years(axes, by_year)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.8)
    _head(axes, years["entity"].iloc[0], "Share of electricity generated, per year")
    footer(figure, f"{origin} {GAPS}")
    return figure


def draw_overview(year: pd.DataFrame, origin: str, highlight: str = "World") -> Figure:
    """The chart of gold rows of one year: one stacked bar per entity, the highest SHW % on top."""
    ordered = year.sort_values("shw_percent").set_index("entity")
    figure, axes = _figure(height=1.6 + 0.26 * len(ordered))
    left = pd.Series(0.0, index=ordered.index)
    for source, colour in COLOURS.items():
        percent = ordered[f"{source}_percent"]
        axes.barh(ordered.index, percent, 0.78, left, color=colour, label=source, **OUTLINE)
        left = left + percent
    for entity, percent in ordered["shw_percent"].items():
        weight = "bold" if entity == highlight else "normal"
        axes.text(percent + 1, entity, f"{percent:.1f} %", va="center", size=8, weight=weight)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == highlight else "normal")
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, 108), ylim=(-0.6, len(ordered) - 0.4), xticks=range(0, 101, 20))
    axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.8)
    shown = f"Share of electricity generated, in {ordered['year'].iloc[0]}"
    _head(axes, "Most electricity from hydro, solar and wind", shown)
    footer(figure, origin)
    return figure


def footer(figure: Figure, text: str) -> None:
    figure.supxlabel(text, fontsize=7, x=0.01, ha="left", color=GREY, wrap=True)


def png(figure: Figure) -> bytes:
    """The figure as a PNG. The same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, height), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure, axes


def _without_holes(years: pd.DataFrame) -> pd.DataFrame:
    """One row for each year from the first to the last; empty for those that are missing."""
    by_year = years.set_index("year")
    return by_year.reindex(range(by_year.index.min(), by_year.index.max() + 1))


def _stack(axes: Axes, by_year: pd.DataFrame) -> None:
    bottom = pd.Series(0.0, index=by_year.index)
    for source, colour in COLOURS.items():
        percent = by_year[f"{source}_percent"]
        axes.bar(by_year.index, percent, 0.85, bottom, color=colour, label=source, **OUTLINE)
        bottom = bottom + percent.fillna(0.0)


def _line(axes: Axes, shw_percent: pd.Series) -> None:
    """The sum as a line that breaks off where it is not known, with the last value in figures."""
    axes.plot(shw_percent, color="black", marker="o", markersize=3, label="SHW %, all three")
    known = shw_percent.dropna()
    if not known.empty:
        year, percent = known.index[-1], known.iloc[-1]
        # Beside the bar of the last year of all.
        place = (shw_percent.index[-1] + 0.55, percent)
        axes.text(*place, f"{percent:.1f} %\nin {year}", va="center", weight="bold")


def _scale_years(axes: Axes, by_year: pd.DataFrame) -> None:
    stacked = by_year[[f"{source}_percent" for source in COLOURS]].sum(axis="columns").max()
    # A round number with some room above; a small share would not be seen on a scale to 100.
    axes.set_ylim(0, min(102, 10 * math.ceil((stacked + 3) / 10)))
    # To the right there is room for the last value.
    first, last = by_year.index[0], by_year.index[-1]
    axes.set_xlim(first - 0.7, last + 0.6 + 0.1 * len(by_year))
    years = MaxNLocator(nbins=9, integer=True, steps=[1, 2, 5, 10]).tick_values(first, last)
    axes.set_xticks([year for year in years if first <= year <= last])
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.tick_params(axis="y", length=0)


def _head(axes: Axes, title: str, subtitle: str) -> None:
    axes.set_title(title, loc="left", pad=44, weight="bold", size=14)
    axes.annotate(
        subtitle, (0, 1), (0, 30), "axes fraction", textcoords="offset points", color=GREY
    )
    # Above the bars, which may fill the axes.
    axes.legend(ncols=4, frameon=False, loc="lower left", bbox_to_anchor=(-0.01, 1))
