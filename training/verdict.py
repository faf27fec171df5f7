"""Champion or challenger: who serves, by which rule, with the figures that decided it.

Lexicographic: the SLO is kept first, then node-hours count, then the forecasts themselves. A difference that another
fortnight might reverse decides nothing: the champion stays, and of two families the simpler.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from training.evaluation import Evaluation

COST_MARGIN = 0.02
"""Share of the cost by which a challenger must be cheaper: the lab saw 2 % between equal runs (2026-11-22)."""
PINBALL_MARGIN = 0.05
"""Share of the pinball loss by which a challenger must be better where costs tell nothing."""
NOISE = 1.0
"""Standard deviations of the misses allowed (a Poisson count) that are still within the SLO."""
RENEW_AFTER = timedelta(days=14)
"""A model that has not seen so much of the demand gives way to one as good that has."""


class Rule(StrEnum):
    """What decided; values never change meaning."""

    FIRST_MODEL = "first_model"
    KEEPS_SLO = "keeps_slo"
    FEWER_MISSES = "fewer_misses"
    CHEAPER = "cheaper"
    BETTER_FORECASTS = "better_forecasts"
    RENEWED = "renewed"
    CHAMPION_UNFIT = "champion_unfit"
    NOT_BETTER = "not_better"
    LOSES_SLO = "loses_slo"
    NOT_JUDGED = "not_judged"
    FORCED = "forced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the challenger shall serve, why, and both sides' scores by name (units in the names)."""

    promoted: bool
    rule: Rule
    reason: str
    challenger: dict[str, float] = field(default_factory=dict)
    champion: dict[str, float] = field(default_factory=dict)
    champion_version: str | None = None


def compare(champion: Evaluation, challenger: Evaluation, *, slo: float) -> tuple[bool, Rule, str]:
    """Return whether the challenger is better, by which rule, in words; both must be scored on the same intervals."""
    keeps = (keeps_slo(champion, slo=slo), keeps_slo(challenger, slo=slo))
    figures = (
        f"{_figures(challenger)} against {_figures(champion)}, SLO {slo:g}, {challenger.score.intervals} intervals"
    )
    if keeps == (False, True):
        return True, Rule.KEEPS_SLO, f"keeps the SLO: {figures}"
    if keeps == (True, False):
        return False, Rule.LOSES_SLO, f"does not keep the SLO: {figures}"
    if keeps == (False, False):
        fewer = challenger.score.misses + NOISE * math.sqrt(champion.score.misses) < champion.score.misses
        return fewer, (Rule.FEWER_MISSES if fewer else Rule.NOT_BETTER), f"neither keeps the SLO: {figures}"
    saving = 1 - challenger.score.cost / champion.score.cost
    if saving >= COST_MARGIN:
        return True, Rule.CHEAPER, f"{saving:.1%} cheaper: {figures}"
    sharper = 1 - challenger.mean_pinball / max(champion.mean_pinball, 1e-12)
    if saving > -COST_MARGIN / 2 and sharper >= PINBALL_MARGIN:
        return True, Rule.BETTER_FORECASTS, f"costs as much, pinball {sharper:.1%} lower: {figures}"
    return False, Rule.NOT_BETTER, f"not better by {COST_MARGIN:.0%}: {figures}"


def best_of(evaluations: Sequence[Evaluation], *, slo: float) -> tuple[Evaluation, str]:
    """Return the winner among families, given simplest first, and how it won: each must beat the best before it."""
    winner, why = evaluations[0], "nothing else competed" if len(evaluations) == 1 else "no other family was better"
    for other in evaluations[1:]:
        better, _, reason = compare(winner, other, slo=slo)
        if better:
            winner, why = other, f"{other.name} beats {winner.name}: {reason}"
    return winner, why


def against_champion(champion: Evaluation, challenger: Evaluation, *, slo: float, unseen_for: timedelta) -> Verdict:
    """Compare a challenger with the model that serves, which ended learning ``unseen_for`` ago."""
    better, rule, reason = compare(champion, challenger, slo=slo)
    worse = rule is Rule.LOSES_SLO or challenger.score.cost > champion.score.cost * (1 + COST_MARGIN)
    if not better and not worse and unseen_for >= RENEW_AFTER:
        better, rule, reason = True, Rule.RENEWED, f"as good, and {unseen_for.days} days fresher; {reason}"
    return Verdict(
        promoted=better,
        rule=rule,
        reason=reason,
        challenger=challenger.scores,
        champion=champion.scores,
        champion_version=champion.name,
    )


def keeps_slo(evaluation: Evaluation, *, slo: float) -> bool:
    """Whether misses are within what the SLO allows, give or take the noise of such a count."""
    allowed = (1 - slo) * evaluation.score.intervals
    return evaluation.score.misses <= allowed + NOISE * math.sqrt(allowed)


def _figures(evaluation: Evaluation) -> str:
    return f"{evaluation.name} ({evaluation.score.attained:.2%} at cost {evaluation.score.cost:.3f})"
