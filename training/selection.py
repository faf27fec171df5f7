"""The whole of training for one pool: compete, compare with the champion, publish, promote only if better."""

import math
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from scaler.replay.replay import Progress
from shared.demand.history import History
from shared.errors import BlobNotFound, DemandError, ModelRefused, TrainingRefused
from shared.forecasting.card import ModelCard, Trial
from shared.forecasting.eligibility import eligible_families
from shared.forecasting.metrics import PINBALL, evaluate
from shared.forecasting.model import PublishedModel
from shared.forecasting.response_time import TRAINING_SHARE
from shared.forecasting.seasonal_naive import SeasonalNaiveForecaster
from shared.forecasting.store import ModelStore
from shared.pools import CapacitySizing, Pool, ResponseTimeSizing
from training.evaluation import MIN_INTERVALS, Evaluation, Evaluator, backtest_windows
from training.publish import Candidate, fit_candidate, publish
from training.verdict import PINBALL_MARGIN, RENEW_AFTER, Rule, Verdict, against_champion, best_of

MIN_UNSEEN_SHARE = 0.25
"""Share of the scored intervals that a champion must not have been fitted on, to be evaluated itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """How to train: ``force`` lets the result serve whatever the verdict, ``quick`` fits one family, not evaluated."""

    force: bool = False
    quick: bool = False
    progress: Progress = lambda *_: None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOutcome:
    """What came of training one pool."""

    card: ModelCard
    verdict: Verdict
    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Competition:
    """Every family that the history is long enough for, evaluated over the same demand; simplest first."""

    evaluator: Evaluator
    evaluations: tuple[Evaluation, ...]
    left_out: str


def compete(pool: Pool, history: History, *, progress: Progress = lambda *_: None) -> Competition | None:
    """Evaluate all families that may compete, or return None if there is too little to do so.

    Raises :class:`~shared.errors.TrainingRefused` for a history that nothing can be learnt from.
    """
    windows = backtest_windows(history)
    eligible = eligible_families(history, pool=pool.name)
    if windows is None or not isinstance(pool.sizing, CapacitySizing):
        return None
    earliest = eligible_families(history.first(windows.begins), pool=pool.name)
    families = tuple(family for family in earliest.families if family in eligible.families)
    evaluator = Evaluator(history, pool, windows, progress=progress)
    evaluations = tuple(evaluator.evaluate_family(family) for family in families)
    return Competition(evaluator=evaluator, evaluations=evaluations, left_out=earliest.reason)


def train(
    store: ModelStore, pool: Pool, history: History, options: TrainOptions, *, now_utc: datetime
) -> TrainingOutcome:
    """Train one pool: the best family is fitted on all of the history and published; it serves if it is better.

    Raises :class:`~shared.errors.TrainingRefused` (nothing is published) and what the store raises.
    """
    refuse_constant(pool, history)
    competition = None if options.quick else compete(pool, history, progress=options.progress)
    champion, fault = _champion(store, pool, history)
    if isinstance(pool.sizing, ResponseTimeSizing):
        candidate, verdict = _compare_losses(pool, history, champion, fault)
    elif competition is None:
        candidate, verdict = _without_evaluation(pool, history, quick=options.quick, has_champion=champion is not None)
        if fault:
            verdict = replace(verdict, reason=f"{fault}; {verdict.reason}")
    else:
        winner, why = best_of(competition.evaluations, slo=_slo(pool))
        verdict = _verdict(competition, winner, champion, fault, pool=pool)
        if verdict.rule is Rule.FIRST_MODEL:
            verdict = replace(verdict, reason=f"{verdict.reason}; {why}")
        options.progress(1, 1, f"{winner.name}: fitting on all")
        candidate = _describe(fit_candidate(pool, history, family=winner.family), competition, winner, pool)
    if options.force and not verdict.promoted:
        verdict = replace(verdict, promoted=True, rule=Rule.FORCED, reason=f"forced, although {verdict.reason}")
    reason = "; ".join(part for part in (verdict.reason, candidate.reason) if part)
    card = publish(store, pool, history, replace(candidate, reason=reason), now_utc=now_utc)
    if verdict.promoted:
        store.promote(pool.name, card.version, now_utc=now_utc, reason=verdict.reason)
    return TrainingOutcome(card=card, verdict=verdict, candidate=candidate)


def refuse_constant(pool: Pool, history: History) -> None:
    """Raise :class:`TrainingRefused` for a demand that never changes: a model of it would promise what it never saw."""
    known = history.demand[np.isfinite(history.demand)]
    if len(known) and float(known.max()) == float(known.min()):
        msg = (
            f"{pool.name}: the demand is {known[0]:g} in all {len(known)} intervals: there is nothing to learn from it"
        )
        raise TrainingRefused(msg)


def _compare_losses(
    pool: Pool, history: History, champion: PublishedModel | None, fault: str
) -> tuple[Candidate, Verdict]:
    """Fit the workshop's models, and compare them with those that serve on the days that they are not fitted on."""
    candidate = fit_candidate(pool, history)
    first = int(len(history) * TRAINING_SHARE)
    ours = evaluate(candidate.model, history, first=first)
    candidate = replace(candidate, scores={**candidate.scores, **ours})
    if champion is None:
        rule = Rule.CHAMPION_UNFIT if fault else Rule.FIRST_MODEL
        return candidate, Verdict(promoted=True, rule=rule, reason=fault or "the first model", challenger=ours)
    theirs = evaluate(champion.fitted, history, first=first)
    our_loss, their_loss = (scores.get(PINBALL, math.nan) for scores in (ours, theirs))
    losses = f"loss {our_loss:.4%} of the mean, {champion.card.version} has {their_loss:.4%}"
    unseen_for = history.end_utc - champion.card.training.end_utc
    if ours and (not theirs or our_loss < their_loss):
        rule, reason = Rule.BETTER_FORECASTS, f"better: {losses}"
    elif ours and our_loss <= their_loss * (1 + PINBALL_MARGIN) and unseen_for >= RENEW_AFTER:
        rule, reason = Rule.RENEWED, f"as good, and {unseen_for.days} days fresher: {losses}"
    else:
        rule, reason = Rule.NOT_BETTER, f"not better: {losses}"
    verdict = Verdict(
        promoted=rule is not Rule.NOT_BETTER,
        rule=rule,
        reason=reason,
        challenger=ours,
        champion=theirs,
        champion_version=champion.card.version,
    )
    return candidate, verdict


def _without_evaluation(pool: Pool, history: History, *, quick: bool, has_champion: bool) -> tuple[Candidate, Verdict]:
    """Fit where nothing is evaluated: for too short a history the model that needs no trust, if nothing serves yet."""
    if isinstance(pool.sizing, CapacitySizing) and not quick:
        short = f"{len(history)} intervals are too few to judge models on ({MIN_INTERVALS} are needed): "
        serves = "the champion stays" if has_champion else "the seasonal naive serves"
        naive = fit_candidate(pool, history, family=SeasonalNaiveForecaster.family)
        candidate = replace(naive, reason=eligible_families(history, pool=pool.name).reason)
        return candidate, Verdict(promoted=not has_champion, rule=Rule.NOT_JUDGED, reason=short + serves)
    return fit_candidate(pool, history), Verdict(promoted=True, rule=Rule.NOT_JUDGED, reason="fitted, not judged")


def _verdict(
    competition: Competition, winner: Evaluation, champion: PublishedModel | None, fault: str, *, pool: Pool
) -> Verdict:
    """Compare the winner with the model that serves, on demand that neither was fitted on."""
    if champion is None:
        rule = Rule.CHAMPION_UNFIT if fault else Rule.FIRST_MODEL
        return Verdict(promoted=True, rule=rule, reason=fault or "the first model", challenger=winner.scores)
    evaluator, slo, card = competition.evaluator, _slo(pool), champion.card
    unseen_for = evaluator.history.end_utc - card.training.end_utc
    if evaluator.unseen_intervals(champion) >= MIN_UNSEEN_SHARE * winner.score.intervals:
        served = evaluator.evaluate_champion(champion)
        return against_champion(served, winner.since(served.result.workload.first), slo=slo, unseen_for=unseen_for)
    stands_in = next((one for one in competition.evaluations if one.family == card.family), None)
    if stands_in is None:
        stands_in = evaluator.evaluate_family(card.family)
    verdict = against_champion(replace(stands_in, name=card.version), winner, slo=slo, unseen_for=unseen_for)
    why = f"{verdict.reason}; the champion has seen most of this demand: its family, fitted without it, stood in"
    return replace(verdict, reason=why)


def _champion(store: ModelStore, pool: Pool, history: History) -> tuple[PublishedModel | None, str]:
    """Return the model that serves, or why it cannot any more (empty if there is none)."""
    try:
        model = store.latest(pool.name)
    except BlobNotFound:
        return None, ""
    except ModelRefused as exc:
        return None, f"the champion cannot be loaded: {exc}"
    needed = pool.horizon(history.step) if isinstance(pool.sizing, CapacitySizing) else model.card.horizon
    if model.card.horizon != needed:
        fault = f"the champion {model.card.version} forecasts {model.card.horizon} intervals, the pool needs {needed}"
        return None, fault
    try:
        model.forecast(history, now_utc=history.end_utc)
    except (DemandError, ModelRefused) as exc:
        return None, f"the champion cannot forecast: {exc}"
    return model, ""


def _describe(candidate: Candidate, competition: Competition, winner: Evaluation, pool: Pool) -> Candidate:
    """Return the candidate with what its card shall say."""
    window = f"judged on the last {winner.score.intervals} intervals without having seen them, then fitted on all"
    return replace(
        candidate,
        scores=winner.scores,
        trials=tuple(Trial(name=one.name, scores=one.scores) for one in competition.evaluations),
        prices=winner.prices(pool),
        reason="; ".join(part for part in (window, competition.left_out, candidate.reason) if part),
    )


def _slo(pool: Pool) -> float:
    """Return the SLO to compare by; pools of other sizings are not compared by it."""
    return pool.sizing.slo if isinstance(pool.sizing, CapacitySizing) else 1.0
