"""The benchmark's plot: cost against misses, one panel a series, both logarithmic."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dev.bench.methods import FORESCALE, METHODS
from dev.bench.report import Results
from dev.bench.trace import Trace
from scaler.replay.baselines import STABILISATION_MIN, reactive
from scaler.replay.scorecard import scored

COLUMNS = 4
LEAST_MISS = 1e-4
"""Where a method without a miss is drawn: zero has no place on a logarithmic axis."""
FRONTIER = np.geomspace(0.8, 100.0, 40)
COST_TICKS = (1, 1.5, 2, 3, 5, 10, 20, 50)
MISS_TICKS = (1e-4, 1e-3, 1e-2, 1e-1, 0.5)

LOOKS: dict[str, tuple[str, str]] = {
    "reactive_70": ("#7f7f7f", "X"),
    "reactive_hindsight": ("#7f7f7f", "o"),
    "reactive_any_window": ("#bdbdbd", "o"),
    "seasonal_naive": ("#8c564b", "D"),
    "holt_winters": ("#ff7f0e", "s"),
    "auto_ets": ("#2ca02c", "^"),
    "mstl": ("#17becf", "v"),
    "prophet": ("#9467bd", "P"),
    "light_gbm": ("#1f77b4", "d"),
    FORESCALE: ("#d62728", "*"),
}


def draw(results: Results, traces: Sequence[Trace], path: Path) -> None:
    """Draw the panels; left and low is good, what lies left of the dashed line keeps the SLO."""
    import matplotlib as mpl  # noqa: PLC0415 - a package of the benchmark alone

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    columns = min(COLUMNS, len(traces))
    rows = math.ceil(len(traces) / columns)
    figure, grid = plt.subplots(rows, columns, figsize=(4.2 * columns, 3.2 * rows + 0.9), squeeze=False)
    for panel, trace in zip(grid.flat, traces, strict=False):
        _panel(panel, results, trace)
    for panel in grid.flat[len(traces) :]:
        panel.axis("off")
    for panel in grid[:, 0]:
        panel.set_ylabel("node-hours / clairvoyant's")
    for panel in grid[-1, :]:
        panel.set_xlabel("intervals missed")
    handles = {
        label: handle for panel in grid.flat for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.suptitle("Cost against misses: left and low is good; left of the dashed line keeps the SLO", y=0.99)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="lower center",
        borderaxespad=0.2,
        ncols=min(6, len(handles)),
        frameon=False,
    )
    figure.tight_layout(rect=(0, 0.6 / (3.2 * rows + 0.9), 1, 1))
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _panel(panel: Any, results: Results, trace: Trace) -> None:  # noqa: ANN401 - matplotlib's axes
    panel.set_xscale("log")
    panel.set_yscale("log")
    misses, costs = _frontier(trace, results.main.nodes)
    panel.plot(misses, costs, color="#bdbdbd", linewidth=1, label="reactive, any headroom")
    panel.axvline(1 - results.main.slo, color="black", linestyle="--", linewidth=0.8)
    titles = {method.key: method.title for method in METHODS}
    for key, (colour, marker) in LOOKS.items():
        points = [
            (max(LEAST_MISS, 1 - outcome.scores["attained"]), outcome.scores["cost"], outcome.setting == results.main)
            for outcome in results.outcomes
            if outcome.series == trace.name
            and outcome.method == key
            and outcome.nodes == results.main.nodes
            and not outcome.error
        ]
        main = [(miss, cost) for miss, cost, is_main in points if is_main]
        if key == FORESCALE and len(points) > 1:
            xs, ys = zip(*sorted((miss, cost) for miss, cost, _ in points), strict=True)
            panel.plot(
                xs, ys, color=colour, linewidth=1.2, marker=".", markersize=6, zorder=4, label="Forescale, other SLOs"
            )
        if main:
            style = {"color": colour, "marker": marker, "linestyle": "", "markeredgecolor": "white"}
            size = 15 if key == FORESCALE else 8
            panel.plot(*zip(*main, strict=True), label=titles[key], markersize=size, zorder=5, **style)
    _scales(
        panel,
        [outcome.scores["cost"] for outcome in results.outcomes if outcome.series == trace.name and not outcome.error],
    )
    panel.set_title(trace.name, fontsize=10)


def _scales(panel: Any, costs: Sequence[float]) -> None:  # noqa: ANN401 - matplotlib's axes
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: PLC0415 - with the plot

    panel.set_xlim(LEAST_MISS * 0.7, 0.7)
    panel.set_ylim(0.95, max(2.2, 1.25 * max(costs, default=2.0)))
    panel.xaxis.set_major_locator(FixedLocator(MISS_TICKS))
    panel.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: "0" if value <= LEAST_MISS else f"{100 * value:g} %")
    )
    panel.yaxis.set_major_locator(FixedLocator(COST_TICKS))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_minor_locator(NullLocator())
    panel.grid(visible=True, color="#eeeeee", linewidth=0.8)
    panel.set_axisbelow(True)


def _frontier(trace: Trace, nodes: float) -> tuple[list[float], list[float]]:
    """Return misses and cost of reactive scaling at every headroom."""
    workload = trace.workload(nodes)
    scores = [
        scored(
            workload,
            reactive(workload, step_min=trace.step_min, headroom=headroom, stabilisation_min=STABILISATION_MIN),
        )
        for headroom in FRONTIER.tolist()
    ]
    return [max(LEAST_MISS, 1 - score.attained) for score in scores], [score.cost for score in scores]
