"""Model files that somebody tampered with: refused, or used without harm; never slow, never large."""

import time
import tracemalloc
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import DemandError, ModelRefused
from shared.forecasting.card import ModelCard
from shared.forecasting.file_format import read_model, write_model
from shared.forecasting.forecast import Forecast
from shared.forecasting.forecaster import Parameters
from shared.forecasting.model import load_model
from tests.builders import NOW, draft_card
from tests.demand import daily, history_of
from tests.models import DEMAND_FAMILIES, fitted, training_set_on

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAST = history_of(daily(12))
EXTREMES = (0.0, -1.0, 1.0, 2.0, 1e9, -1e9, 1e300, -1e300, np.inf, -np.inf, np.nan, 2**31 - 1, -(2**31))
TYPES = (np.float64, np.float32, np.float16, np.int32, np.int64, np.bool_)
MOST_BYTES = 20_000_000
LONGEST_S = 5.0

families = pytest.mark.parametrize("family", DEMAND_FAMILIES)


@cache
def parameters(family: str) -> Parameters:
    return fitted(family, training_set_on(PAST)).forecaster.to_parameters()


@cache
def file_of(family: str) -> bytes:
    return write_model(parameters(family))


def card_of(family: str) -> ModelCard:
    return draft_card(family=family, step_s=1800.0, horizon=3)


def outcome(family: str, data: bytes) -> Forecast | str:
    """Load and ask a model file as a tick does: a forecast, or the words of a refusal."""
    try:
        model = load_model(card_of(family), read_model(data, name="m"), name="m")
        return model.refresh(PAST).forecast(PAST, now_utc=NOW)
    except (ModelRefused, DemandError) as exc:
        return str(exc)


def is_harmless(family: str, data: bytes) -> bool:
    """Whether it was refused with a name, or led to a legal forecast, within time and memory."""
    began = time.monotonic()
    tracemalloc.start()
    answer = outcome(family, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    legal = isinstance(answer, Forecast) or answer.startswith(("m: ", "m is not", "model "))
    return legal and peak < MOST_BYTES and time.monotonic() - began < LONGEST_S


def with_bytes_changed(data: bytes, random: np.random.Generator) -> bytes:
    """Change a few bytes, cut the end off, or put a piece elsewhere."""
    changed = bytearray(data)
    for _ in range(random.integers(1, 6)):
        changed[random.integers(len(changed))] = random.integers(256)
    start, length = random.integers(len(changed)), random.integers(1, 60)
    piece = changed[start : start + length]
    kinds = (changed, changed[: random.integers(len(changed))], changed[:start] + piece + changed[start:])
    return bytes(kinds[random.integers(len(kinds))])


def with_arrays_changed(arrays: Parameters, random: np.random.Generator) -> bytes:
    """Put extreme values, other types or other shapes into an array, or leave it out; the archive stays whole."""
    changed: dict[str, NDArray[Any]] = dict(arrays)
    name = sorted(changed)[random.integers(len(changed))]
    array = changed[name].copy()
    with np.errstate(all="ignore"):
        values = array.astype(np.float64).ravel()
        values[random.integers(0, max(1, array.size), 3) % max(1, array.size)] = random.choice(EXTREMES)
        kinds = {
            "value": values.reshape(array.shape).astype(array.dtype),
            "type": array.astype(TYPES[random.integers(len(TYPES))]),
            "shuffled": random.permutation(array.ravel()).reshape(array.shape),
            "longer": np.concatenate([array.ravel(), array.ravel()]),
            "shorter": array.ravel()[: array.size // 2],
        }
    changed[name] = kinds[random.choice(sorted(kinds))]
    return write_model(changed)


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1))
@families
def test_a_file_with_changed_bytes_does_no_harm(family: str, seed: int) -> None:
    assert is_harmless(family, with_bytes_changed(file_of(family), np.random.default_rng(seed)))


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize("family", ["ridge", "boosting", "forest"])
def test_a_file_with_changed_arrays_does_no_harm(family: str, seed: int) -> None:
    assert is_harmless(family, with_arrays_changed(parameters(family), np.random.default_rng(seed)))


@families
def test_a_file_that_nobody_touched_forecasts(family: str) -> None:
    assert isinstance(outcome(family, file_of(family)), Forecast)
