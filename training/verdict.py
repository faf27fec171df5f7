"""Champion or challenger: who serves, by which rule, with the figures that decided it.

Lexicographic: the SLO is kept first, then node-hours count, then the forecasts themselves. A difference that another
fortnight might reverse decides nothing: the champion stays, and of two families the simpler.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from training.evaluation import Judged

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


def compared(champion: Judged, challenger: Judged, *, slo: float) -> tuple[bool, Rule, str]:
    """Return whether the challenger is better, by which rule, in words; both must be scored on the same intervals."""
    keeps = (keeps_slo(champion, slo=slo), keeps_slo(challenger, slo=slo))
    told = f"{_told(challenger)} against {_told(champion)}, SLO {slo:g}, {challenger.score.intervals} intervals"
    if keeps == (False, True):
        return True, Rule.KEEPS_SLO, f"keeps the SLO: {told}"
    if keeps == (True, False):
        return False, Rule.LOSES_SLO, f"does not keep the SLO: {told}"
    if keeps == (False, False):
        fewer = challenger.score.misses + NOISE * math.sqrt(champion.score.misses) < champion.score.misses
        return fewer, (Rule.FEWER_MISSES if fewer else Rule.NOT_BETTER), f"neither keeps the SLO: {told}"
    saving = 1 - challenger.score.cost / champion.score.cost
    if saving >= COST_MARGIN:
        return True, Rule.CHEAPER, f"{saving:.1%} cheaper: {told}"
    sharper = 1 - challenger.mean_pinball / max(champion.mean_pinball, 1e-12)
    if saving > -COST_MARGIN / 2 and sharper >= PINBALL_MARGIN:
        return True, Rule.BETTER_FORECASTS, f"costs as much, pinball {sharper:.1%} lower: {told}"
    return False, Rule.NOT_BETTER, f"not better by {COST_MARGIN:.0%}: {told}"


def best_of(judged: Sequence[Judged], *, slo: float) -> tuple[Judged, str]:
    """Return the winner among families, given simplest first, and how it won: each must beat the best before it."""
    winner, why = judged[0], "nothing else competed" if len(judged) == 1 else "no other family was better"
    for other in judged[1:]:
        better, _, told = compared(winner, other, slo=slo)
        if better:
            winner, why = other, f"{other.name} beats {winner.name}: {told}"
    return winner, why


def against_champion(champion: Judged, challenger: Judged, *, slo: float, unseen_for: timedelta) -> Verdict:
    """Judge a challenger against the model that serves, which ended learning ``unseen_for`` ago."""
    better, rule, reason = compared(champion, challenger, slo=slo)
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


def keeps_slo(judged: Judged, *, slo: float) -> bool:
    """Whether misses are within what the SLO allows, give or take the noise of such a count."""
    allowed = (1 - slo) * judged.score.intervals
    return judged.score.misses <= allowed + NOISE * math.sqrt(allowed)


def _told(judged: Judged) -> str:
    return f"{judged.name} ({judged.score.attained:.2%} at cost {judged.score.cost:.3f})"
