"""Which version serves after a change of mind: the one before, and the verdict of a promoted model's first day."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.demand.history import History
from shared.errors import BlobChanged, BlobNotFound, ModelRefused, NoPreviousModel
from shared.forecasting.card import Pointer
from shared.forecasting.metrics import MIN_SCORED_INTERVALS, PINBALL, evaluate
from shared.forecasting.store import ModelStore

FIRST_DAY = timedelta(days=1)
WORSE_BY = 1.05
"""A promoted model goes only if its loss is this much higher than its predecessor's: less may be chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstDay:
    """What a promoted model's first day showed; ``verdict_due`` is false while the day is not over."""

    verdict_due: bool
    worse: bool = False
    why: str = ""


def roll_back(store: ModelStore, pool: str, *, from_version: str, now_utc: datetime, reason: str) -> Pointer:
    """Let the version before ``from_version`` serve, and return the pointer; a repeat changes nothing.

    Raises :class:`~shared.errors.NoPreviousModel`, :class:`~shared.errors.BlobChanged` if another version serves, and
    what :meth:`~shared.forecasting.store.ModelStore.promote` raises.
    """
    pointed = store.pointer(pool)
    if pointed is None:
        msg = f"no model of pool {pool!r} serves: there is nothing to roll back"
        raise NoPreviousModel(msg)
    pointer = pointed[0]
    if pointer.previous == from_version:
        return pointer  # done before: promoting the predecessor again would bring the bad version back
    if pointer.version != from_version:
        msg = f"pool {pool!r} is not served by version {from_version!r}: {pointer.version!r} serves"
        raise BlobChanged(msg)
    if pointer.previous is None:
        msg = f"pool {pool!r} had no model before version {pointer.version!r}: there is nothing to roll back to"
        raise NoPreviousModel(msg)
    return store.promote(pool, pointer.previous, now_utc=now_utc, reason=reason, instead_of=from_version)


def first_day(store: ModelStore, pointer: Pointer, pool: str, history: History) -> FirstDay:
    """Compare a promoted model with its predecessor on the demand since the promotion, which neither was fitted on."""
    first = (pointer.since - history.start_utc) // history.step
    if pointer.previous is None or first < 0:
        return FirstDay(verdict_due=True, why="there is no predecessor to compare with")
    if history.end_utc - pointer.since < max(FIRST_DAY, MIN_SCORED_INTERVALS * history.step):
        return FirstDay(verdict_due=False)
    try:
        serving, predecessor = (store.load(pool, version) for version in (pointer.version, pointer.previous))
    except (BlobNotFound, ModelRefused) as exc:
        return FirstDay(verdict_due=True, why=f"the two cannot be compared: {exc}")
    ours, theirs = (evaluate(model.fitted, history, first=first) for model in (serving, predecessor))
    if not theirs:
        return FirstDay(verdict_due=True, why=f"{pointer.previous} cannot forecast this demand")
    before = f"{pointer.previous} would have had {theirs[PINBALL]:.4%}"
    if not ours:
        return FirstDay(verdict_due=True, worse=True, why=f"it could not forecast at all, {before}")
    return FirstDay(
        verdict_due=True,
        worse=ours[PINBALL] > theirs[PINBALL] * WORSE_BY,
        why=f"in its first day {pointer.version} had loss {ours[PINBALL]:.4%}, {before}",
    )
