"""Champion against challenger on the same recent demand that neither has seen: better, or it stays as it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from shared.errors import TrainingRefused
from shared.model import Model
from shared.model_card import Family
from shared.pools import Pool
from shared.series import History
from training.fit import Candidate, fit
from training.scores import FEWEST_JUDGED, LOSS, scores

WINDOW_SHARE = 0.2
"""Share of the history to judge on: the workshop's split."""
WINDOW_DAYS = 7.0
"""Never more than a week: a whole cycle of what people do, and it is the present that counts."""
Fit = Callable[[Pool, History], Candidate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the challenger shall serve, why, and what both scored."""

    promote: bool
    why: str
    candidate: Mapping[str, float] = field(default_factory=dict)
    champion: Mapping[str, float] = field(default_factory=dict)


def judged(pool: Pool, history: History, champion: Model | None, *, fitting: Fit = fit) -> tuple[Candidate, Verdict]:
    """Return the challenger, fitted on all of the history, and whether it is to serve.

    The one that is judged was fitted without the window; the one returned has seen it too.
    Raises :class:`TrainingRefused` for a history from which nothing can be learnt.
    """
    refuse_garbage(history)
    first = window_start(pool, history, champion)
    challenger = fitting(pool, history.first(first + 1)).fitted
    theirs = scores(champion.fitted, history, first=first) if champion else {}
    ours = scores(challenger, history, first=first)
    verdict = _verdict(ours, theirs, champion)
    final = fitting(pool, history)
    return replace(final, scores={**final.scores, **ours}), verdict


def window_start(pool: Pool, history: History, champion: Model | None) -> int:
    """Return the last interval that may be known before judging begins; what the champion was fitted on is left out.

    A response-time model is fitted on the first 80 % of its log, and the log has no dates to tell more.
    """
    window = min(int(len(history) * WINDOW_SHARE), int(WINDOW_DAYS * 86400 / history.step.total_seconds()))
    first = len(history) - window - 1
    if champion is None or champion.fitted.family is Family.RESPONSE_TIME:
        return max(first, int(len(history) * (1 - WINDOW_SHARE)) if pool.sizing.kind == "response_time" else 0)
    seen = (champion.card.training.end_utc - history.start_utc) // history.step - 1
    return min(max(first, seen), len(history) - 1)


def refuse_garbage(history: History) -> None:
    """Refuse a history that is unknown, too short or never changes; raises :class:`TrainingRefused`."""
    known = history.demand[np.isfinite(history.demand)]
    if len(known) < 2 * FEWEST_JUDGED:
        msg = f"{len(known)} intervals of demand are known: {2 * FEWEST_JUDGED} are needed to fit and to judge"
        raise TrainingRefused(msg)
    if float(known.max()) == float(known.min()):
        msg = f"the demand is {known[0]:g} in all {len(known)} intervals: there is nothing to learn from it"
        raise TrainingRefused(msg)


def _verdict(ours: Mapping[str, float], theirs: Mapping[str, float], champion: Model | None) -> Verdict:
    if not ours:
        if champion is not None:
            why = "too little demand has come since the serving model was fitted to tell the two apart"
            return Verdict(promote=False, why=why, champion=theirs)
        return Verdict(promote=False, why="it could not forecast the recent demand at all")
    if ours["judged_intervals"] < FEWEST_JUDGED:
        why = f"only {ours['judged_intervals']:.0f} intervals to judge by, {FEWEST_JUDGED} are needed"
        return Verdict(promote=champion is None, why=why, candidate=ours, champion=theirs)
    if champion is None:
        return Verdict(promote=True, why="the first model", candidate=ours)
    name = champion.card.version
    if not theirs:
        return Verdict(promote=True, why=f"{name} cannot forecast the recent demand", candidate=ours)
    better = ours[LOSS] < theirs[LOSS]
    why = f"loss {ours[LOSS]:.4%} of the mean demand, {name} has {theirs[LOSS]:.4%}"
    told = f"better: {why}" if better else f"not better: {why}"
    return Verdict(promote=better, why=told, candidate=ours, champion=theirs)
