"""The whole of training for one pool: compete, judge, compare with the champion, publish, promote only if better."""

import math
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from scaler.replay.replay import Progress
from shared.demand.history import History
from shared.errors import BlobNotFound, DemandError, ModelRefused, TrainingRefused
from shared.forecasting.card import Family, ModelCard, Trial
from shared.forecasting.model import Model
from shared.forecasting.store import ModelStore
from shared.pools import CapacitySizing, Pool, ResponseTimeSizing
from training.evaluation import FEWEST_INTERVALS, Judge, Judged, course_of
from training.families import eligible
from training.losses import LOSS, losses
from training.publish import Candidate, fit, publish
from training.response_time import TRAINING_SHARE
from training.verdict import Rule, Verdict, against_champion, best_of

LEAST_UNSEEN_SHARE = 0.25
"""Share of the scored intervals that a champion must not have been fitted on, to be judged itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How to train: ``force`` lets the result serve whatever the verdict, ``quick`` fits one family, unjudged."""

    force: bool = False
    quick: bool = False
    progress: Progress = lambda *_: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of training one pool."""

    card: ModelCard
    verdict: Verdict
    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Competition:
    """Every family that the history is long enough for, judged over the same demand; simplest first."""

    judge: Judge
    judged: tuple[Judged, ...]
    left_out: str


def compete(pool: Pool, history: History, *, progress: Progress = lambda *_: None) -> Competition | None:
    """Judge all families that may compete, or return None if there is too little to judge them on.

    Raises :class:`~shared.errors.TrainingRefused` for a history that nothing can be learnt from.
    """
    course = course_of(history)
    able = eligible(history, pool=pool.name)
    if course is None or not isinstance(pool.sizing, CapacitySizing):
        return None
    earliest = eligible(history.first(course.begins), pool=pool.name)
    families = tuple(family for family in earliest.families if family in able.families)
    judge = Judge(history, pool, course, progress=progress)
    judged = tuple(judge.family(family) for family in families)
    return Competition(judge=judge, judged=judged, left_out=earliest.told)


def train(store: ModelStore, pool: Pool, history: History, wishes: Wishes, *, now_utc: datetime) -> Trained:
    """Train one pool: the best family is fitted on all of the history and published; it serves if it is better.

    Raises :class:`~shared.errors.TrainingRefused` (nothing is published) and what the store raises.
    """
    refuse_constant(pool, history)
    competition = None if wishes.quick else compete(pool, history, progress=wishes.progress)
    champion, fault = _champion(store, pool, history)
    if isinstance(pool.sizing, ResponseTimeSizing):
        candidate, verdict = _by_loss(pool, history, champion, fault)
    elif competition is None:
        candidate, verdict = _unjudged(pool, history, quick=wishes.quick, has_champion=champion is not None)
        if fault:
            verdict = replace(verdict, reason=f"{fault}; {verdict.reason}")
    else:
        winner, why = best_of(competition.judged, slo=_slo(pool))
        verdict = _verdict(competition, winner, champion, fault, pool=pool)
        if verdict.rule is Rule.FIRST_MODEL:
            verdict = replace(verdict, reason=f"{verdict.reason}; {why}")
        wishes.progress(1, 1, f"{winner.name}: fitting on all")
        candidate = _told(fit(pool, history, family=winner.family), competition, winner, pool)
    if wishes.force and not verdict.promoted:
        verdict = replace(verdict, promoted=True, rule=Rule.FORCED, reason=f"forced, although {verdict.reason}")
    reason = "; ".join(part for part in (verdict.reason, candidate.reason) if part)
    card = publish(store, pool, history, replace(candidate, reason=reason), now_utc=now_utc)
    if verdict.promoted:
        store.promote(pool.name, card.version, now_utc=now_utc, reason=verdict.reason)
    return Trained(card=card, verdict=verdict, candidate=candidate)


def refuse_constant(pool: Pool, history: History) -> None:
    """Raise :class:`TrainingRefused` for a demand that never changes: a model of it would promise what it never saw."""
    known = history.demand[np.isfinite(history.demand)]
    if len(known) and float(known.max()) == float(known.min()):
        msg = (
            f"{pool.name}: the demand is {known[0]:g} in all {len(known)} intervals: there is nothing to learn from it"
        )
        raise TrainingRefused(msg)


def _by_loss(pool: Pool, history: History, champion: Model | None, fault: str) -> tuple[Candidate, Verdict]:
    """Fit the workshop's models, and compare them with those that serve on the days that they are not fitted on."""
    candidate = fit(pool, history)
    first = int(len(history) * TRAINING_SHARE)
    ours = losses(candidate.fitted, history, first=first)
    candidate = replace(candidate, scores={**candidate.scores, **ours})
    if champion is None:
        rule = Rule.CHAMPION_UNFIT if fault else Rule.FIRST_MODEL
        return candidate, Verdict(promoted=True, rule=rule, reason=fault or "the first model", challenger=ours)
    theirs = losses(champion.fitted, history, first=first)
    better = bool(ours) and (not theirs or ours[LOSS] < theirs[LOSS])
    told = (
        f"loss {ours.get(LOSS, math.nan):.4%} of the mean, {champion.card.version} has {theirs.get(LOSS, math.nan):.4%}"
    )
    verdict = Verdict(
        promoted=better,
        rule=Rule.BETTER_FORECASTS if better else Rule.NOT_BETTER,
        reason=f"{'better' if better else 'not better'}: {told}",
        challenger=ours,
        champion=theirs,
        champion_version=champion.card.version,
    )
    return candidate, verdict


def _unjudged(pool: Pool, history: History, *, quick: bool, has_champion: bool) -> tuple[Candidate, Verdict]:
    """Fit where nothing is judged: for too short a history the model that needs no trust, if nothing serves yet."""
    if isinstance(pool.sizing, CapacitySizing) and not quick:
        short = f"{len(history)} intervals are too few to judge models on ({FEWEST_INTERVALS} are needed): "
        told = "the champion stays" if has_champion else "the seasonal naive serves"
        candidate = fit(pool, history, family=Family.SEASONAL_NAIVE)
        return candidate, Verdict(promoted=not has_champion, rule=Rule.NOT_JUDGED, reason=short + told)
    return fit(pool, history), Verdict(promoted=True, rule=Rule.NOT_JUDGED, reason="fitted, not judged")


def _verdict(competition: Competition, winner: Judged, champion: Model | None, fault: str, *, pool: Pool) -> Verdict:
    """Compare the winner with the model that serves, on demand that neither was fitted on."""
    if champion is None:
        rule = Rule.CHAMPION_UNFIT if fault else Rule.FIRST_MODEL
        return Verdict(promoted=True, rule=rule, reason=fault or "the first model", challenger=winner.scores)
    judge, slo, card = competition.judge, _slo(pool), champion.card
    unseen_for = judge.history.end_utc - card.training.end_utc
    if judge.unseen(champion) >= LEAST_UNSEEN_SHARE * winner.score.intervals:
        served = judge.champion(champion)
        return against_champion(served, winner.since(served.replayed.workload.first), slo=slo, unseen_for=unseen_for)
    stands_in = next((judged for judged in competition.judged if judged.family is card.family), None)
    if stands_in is None:
        stands_in = judge.family(card.family)
    verdict = against_champion(replace(stands_in, name=card.version), winner, slo=slo, unseen_for=unseen_for)
    told = f"{verdict.reason}; the champion has seen most of this demand: its family, fitted without it, stood in"
    return replace(verdict, reason=told)


def _champion(store: ModelStore, pool: Pool, history: History) -> tuple[Model | None, str]:
    """Return the model that serves, or why it cannot any more (empty if there is none)."""
    try:
        model = store.latest(pool.name)
    except BlobNotFound:
        return None, ""
    except ModelRefused as exc:
        return None, f"the champion cannot be loaded: {exc}"
    needed = pool.horizon(history.step)
    if model.card.horizon != needed:
        told = f"the champion {model.card.version} forecasts {model.card.horizon} intervals, the pool needs {needed}"
        return None, told
    try:
        model.forecast(history, now_utc=history.end_utc)
    except (DemandError, ModelRefused) as exc:
        return None, f"the champion cannot forecast: {exc}"
    return model, ""


def _told(candidate: Candidate, competition: Competition, winner: Judged, pool: Pool) -> Candidate:
    """Return the candidate with what its card shall say."""
    window = f"judged on the last {winner.score.intervals} intervals without having seen them, then fitted on all"
    return replace(
        candidate,
        scores=winner.scores,
        trials=tuple(Trial(name=judged.name, scores=judged.scores) for judged in competition.judged),
        prices=winner.prices(pool),
        reason="; ".join(part for part in (window, competition.left_out, candidate.reason) if part),
    )


def _slo(pool: Pool) -> float:
    """Return the SLO to judge by; other sizings are not judged."""
    return pool.sizing.slo if isinstance(pool.sizing, CapacitySizing) else 1.0
