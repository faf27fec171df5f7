"""The benchmark's tables: from outcomes to ``RESULTS.md``."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dev.bench.cache import Outcome
from dev.bench.methods import FORESCALE, HINDSIGHT, METHODS, Method
from dev.bench.policies import Setting
from dev.bench.tick_cost import (
    IMPORT_BAR_S,
    MEMORY_BAR_MB,
    MODEL_BAR_BYTES,
    PREDICTION_BAR_MS,
    TICK_BAR_MS,
    TickCost,
)

TOLERANCE = {0.95: 0.005, 0.99: 0.0025, 0.998: 0.0015}
"""How far below the SLO still counts as kept (a quarter of the misses that the SLO allows, where nothing is named)."""
COST_BAR = 1.8
HINDSIGHT_BAR = 0.7
PEERS_NOTE = (
    "Forecasting peers want the highest of their upper quantiles at the SLO over the lead window, and never less than "
    "the present demand. Unknown demand is replaced, for peers that take none, by the last known value for an hour and "
    "by the value one day before after that."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All outcomes of a run, and the setting that the main tables are about."""

    outcomes: Sequence[Outcome]
    main: Setting

    @property
    def series(self) -> list[str]:
        """The series, in order of their first appearance."""
        return list(dict.fromkeys(outcome.series for outcome in self.outcomes))

    @property
    def methods(self) -> list[Method]:
        """The methods that were run."""
        keys = {outcome.method for outcome in self.outcomes}
        return [method for method in METHODS if method.key in keys]

    def of(self, method: str, setting: Setting | None = None) -> list[Outcome]:
        """Return a method's outcomes, one a series, at a setting (by default the main one)."""
        asked = setting or self.main
        return [outcome for outcome in self.outcomes if outcome.method == method and outcome.setting == asked]

    def scores(self, method: str, column: str, setting: Setting | None = None) -> dict[str, float]:
        """Return one score of a method by series, without the series that it failed on."""
        return {
            outcome.series: float(outcome.scores[column]) for outcome in self.of(method, setting) if not outcome.error
        }


def kept(attained: float, slo: float) -> bool:
    """Return whether the SLO was kept, within the target's tolerance."""
    return attained >= slo - tolerance(slo) - 1e-12


def tolerance(slo: float) -> float:
    """Return how far below the SLO still counts as kept."""
    return TOLERANCE.get(slo, (1 - slo) / 4)


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean, NaN of nothing."""
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else math.nan


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, its first column to the left and the rest to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def summary(results: Results) -> str:
    """Return one row a method: what it costs, what it misses, how often it kept the SLO."""
    return table(
        ["method", "cost, geometric mean", "attained, mean", "attained, worst", "worst on", "SLO kept", "minutes"],
        [_summary_row(results, method) for method in results.methods],
    )


def per_series(results: Results, column: str, shown: Callable[[float], str]) -> str:
    """Return one row a series and one column a method; a method that failed there says so."""
    by_method = {
        method.key: {outcome.series: outcome for outcome in results.of(method.key)} for method in results.methods
    }

    def cell(method: Method, series: str) -> str:
        outcome = by_method[method.key].get(series)
        if outcome is None or outcome.error:
            return "failed" if outcome else ""
        text = shown(float(outcome.scores[column]))
        return text if kept(float(outcome.scores["attained"]), results.main.slo) else f"*{text}*"

    return table(
        ["series", *(method.title for method in results.methods)],
        [[series, *(cell(method, series) for method in results.methods)] for series in results.series],
    )


def other_settings(results: Results) -> str:
    """Return Forescale's summary at every SLO and node size it was run at."""
    settings = dict.fromkeys(outcome.setting for outcome in results.outcomes if outcome.method == FORESCALE)
    ordered = sorted(settings, key=lambda setting: (setting.nodes != results.main.nodes, setting.nodes, setting.slo))
    rows = []
    for setting in ordered:
        attained = results.scores(FORESCALE, "attained", setting)
        cost = results.scores(FORESCALE, "cost", setting)
        good = sum(kept(value, setting.slo) for value in attained.values())
        rows.append(
            [
                f"{setting.slo:.1%}",
                f"{setting.nodes:g}",
                f"{geometric_mean(list(cost.values())):.2f}",
                f"{_mean(attained):.2%}",
                f"{min(attained.values(), default=math.nan):.2%}",
                f"{good} of {len(results.series)}",
            ]
        )
    header = ["SLO", "nodes on average", "cost, geometric mean", "attained, mean", "attained, worst", "SLO kept"]
    return table(header, rows)


def bars(results: Results) -> str:
    """Return the targets, what was reached, and whether that is enough."""
    slo = results.main.slo
    attained = results.scores(FORESCALE, "attained")
    cost = results.scores(FORESCALE, "cost")
    hindsight = results.scores(HINDSIGHT, "cost")
    both = [series for series in cost if series in hindsight]
    ratio = geometric_mean([cost[series] / hindsight[series] for series in both])
    cheaper = sum(cost[series] <= hindsight[series] for series in cost if series in hindsight)
    cheaper += sum(series not in hindsight for series in cost)
    needed = math.ceil(len(results.series) * 10 / 12)
    good = sum(kept(value, slo) for value in attained.values())
    mean = geometric_mean(list(cost.values()))
    count = len(results.series)
    rows = [
        [f"attained at least {slo - tolerance(slo):.2%} on every series", f"{good} of {count}", _mark(good == count)],
        [f"cost at most {COST_BAR} (geometric mean)", f"{mean:.2f}", _mark(mean <= COST_BAR)],
        [
            f"not costlier than reactive with hindsight on at least {needed} of {count}",
            f"{cheaper} of {count}",
            _mark(cheaper >= needed),
        ],
        [
            f"at most {HINDSIGHT_BAR} of the cost of reactive with hindsight (geometric mean)",
            f"{ratio:.2f}",
            _mark(ratio <= HINDSIGHT_BAR),
        ],
    ]
    return table(["target", "reached", ""], rows)


def failures(results: Results) -> str:
    """Return a list of the methods that failed on a series, with what they said; empty if none did."""
    lines = [
        f"- {outcome.method} on {outcome.series} (SLO {outcome.slo:g}, {outcome.nodes:g} nodes): `{outcome.error}`"
        for outcome in results.outcomes
        if outcome.error
    ]
    return "\n".join(lines)


def tick_table(cost: TickCost) -> str:
    """Return what one tick costs, beside its bars."""
    rows = [
        ["CPU of a local tick of one pool, warm model", f"{cost.tick_cpu_ms:.1f} ms", f"{TICK_BAR_MS:g} ms"],
        ["CPU of one forecast within it", f"{cost.predict_cpu_ms:.1f} ms", f"{PREDICTION_BAR_MS:g} ms"],
        [
            f"`import function_app` ({cost.import_ratio:.1f} times `import azure.functions` alone)",
            f"{cost.import_app_s:.2f} s",
            f"{IMPORT_BAR_S:g} s",
        ],
        ["first tick of a process", f"{cost.cold_tick_s:.2f} s", ""],
        [
            "most memory of a process after a tick, Azure's adapters loaded",
            f"{cost.peak_memory_mb:.0f} MB",
            f"{MEMORY_BAR_MB:g} MB",
        ],
        [f"published model ({cost.model_family})", f"{cost.model_bytes / 1e6:.2f} MB", f"{MODEL_BAR_BYTES / 1e6:g} MB"],
    ]
    return table(["figure, median", "measured", "at most"], rows)


def markdown(results: Results, facts: Mapping[str, str], tick_cost: TickCost | None = None) -> str:
    """Return the whole report; ``facts`` are printed as they are, name and value."""
    failed = failures(results)
    has_forescale = any(method.key == FORESCALE for method in results.methods)
    parts = [
        "# Benchmark results",
        "Written by `make bench`; do not edit. docs/benchmark.md tells how to read and reproduce it.",
        _introduction(results),
        "## Summary",
        summary(results),
        *(["## Targets", bars(results)] if has_forescale else []),
        "![Cost against misses, one panel a series](results.png)",
        "## Cost by series",
        per_series(results, "cost", lambda value: f"{value:.2f}"),
        "## Attained by series",
        per_series(results, "attained", lambda value: f"{value:.2%}"),
        *(["## Forescale at other SLOs and node sizes", other_settings(results)] if has_forescale else []),
        *(["## What one tick costs", tick_table(tick_cost)] if tick_cost else []),
        "## How each method is run",
        "\n".join(f"- **{method.title}**: {method.how}." for method in results.methods),
        PEERS_NOTE,
        *(["## Failures", failed] if failed else []),
        "## Run",
        "\n".join(f"- {name}: {value}" for name, value in facts.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(results: Results) -> str:
    slo = results.main.slo
    return (
        f"SLO {slo:.1%}, nodes of such a size that the mean demand fills {results.main.nodes:g}, 10 minutes until an "
        f"ordered node serves, {len(results.series)} series, the second half of each scored. *Cost* is node-hours "
        "relative to a clairvoyant who knows the future and never misses. The SLO counts as kept within "
        f"{100 * tolerance(slo):g} points; a method that does not keep it is cheap for that reason, so its figures are "
        "in *italics* below. Methods *with hindsight* were tuned on the scored half: nobody can have them."
    )


def _summary_row(results: Results, method: Method) -> list[str]:
    attained = results.scores(method.key, "attained")
    cost = results.scores(method.key, "cost")
    worst = min(attained, key=lambda series: attained[series], default="")
    good = sum(kept(value, results.main.slo) for value in attained.values())
    minutes = sum(outcome.took_s for outcome in results.of(method.key)) / 60
    title = f"**{method.title}**" if method.key == FORESCALE else method.title
    mean = f"{geometric_mean(list(cost.values())):.2f}"
    return [
        title,
        mean if len(cost) == len(results.series) else f"{mean} (of {len(cost)})",
        f"{_mean(attained):.2%}",
        f"{min(attained.values(), default=math.nan):.2%}",
        worst,
        f"{good} of {len(results.series)}",
        f"{minutes:.1f}",
    ]


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values) if values else math.nan


def _mark(met: bool) -> str:  # noqa: FBT001 - the one thing it is about
    return "met" if met else "**missed**"
