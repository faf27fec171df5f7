from datetime import timedelta

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from shared.demand.history import History
from shared.errors import TrainingRefused
from shared.forecasting.boosting import grown_values
from shared.forecasting.card import Family
from shared.forecasting.model import Fitted, pack, unpack
from shared.forecasting.training_set import rows_of
from tests.builders import pool
from tests.demand import HALF_HOUR, daily, history_of
from training.boosting import DEPTH, grown_of
from training.candidates import feature_spec, fit_boosting
from training.families import eligible
from training.publish import fit, fitted_of

POOL = pool(lead_time_min=60)
DAYS = 12
HISTORY = history_of(daily(DAYS))


@pytest.fixture(scope="module")
def fitted() -> dict[Family, Fitted]:
    families = (Family.SEASONAL_NAIVE, Family.RIDGE, Family.FOREST)
    made = {family: fit(POOL, HISTORY, family=family).fitted for family in families}
    rows = rows_of(HISTORY, feature_spec(HISTORY, horizon=3, calendar={"timezone": "UTC", "holidays": ""}))
    return made | {Family.BOOSTING: fitted_of(Family.BOOSTING, fit_boosting(rows), HISTORY, horizon=3)}


FAMILIES = [Family.SEASONAL_NAIVE, Family.RIDGE, Family.BOOSTING, Family.FOREST]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_of_many_forecasts_is_what_is_said_to_the_history_cut_there(
    fitted: dict[Family, Fitted], family: Family
) -> None:
    model, first = fitted[family], len(HISTORY) - 60

    rows = model.quantiles_since(HISTORY, first=first)
    cut = [model.quantiles(HISTORY.first(first + row + 1)) for row in (0, 7, 31, 59)]

    np.testing.assert_allclose(rows[[0, 7, 31, 59]], np.array(cut), rtol=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_comes_later_changes_no_earlier_row(fitted: dict[Family, Fitted], family: Family) -> None:
    model, first = fitted[family], len(HISTORY) - 60
    other = HISTORY.values.copy()
    other[-20:] *= 7
    changed = History(start_utc=HISTORY.start_utc, step=HISTORY.step, values=other)

    before = model.quantiles_since(HISTORY, first=first)[:40]

    np.testing.assert_array_equal(model.quantiles_since(changed, first=first)[:40], before)


@pytest.mark.parametrize("family", FAMILIES)
def test_quantiles_rise_and_the_median_is_near_the_demand(fitted: dict[Family, Fitted], family: Family) -> None:
    model = fitted[family]

    rows = model.quantiles_since(HISTORY, first=len(HISTORY) - 200)
    middle = rows[:-3, 0, int(np.argmin(np.abs(model.levels - 0.5)))]

    assert (np.diff(rows, axis=2) >= 0).all()
    assert np.mean(np.abs(middle - HISTORY.demand[-199:-2])) < 0.25 * HISTORY.demand.mean()


def test_a_boosting_model_needs_no_trust_and_few_bytes(fitted: dict[Family, Fitted]) -> None:
    model = fitted[Family.BOOSTING]

    data = pack(model.content)
    again = Fitted(
        family=Family.BOOSTING,
        content=unpack(data, name="model"),
        signals=model.signals,
        step=model.step,
        horizon=model.horizon,
    )

    assert len(data) < 500_000
    np.testing.assert_array_equal(again.quantiles(HISTORY), model.quantiles(HISTORY))


def test_the_arrays_of_boosted_trees_say_what_scikit_learn_says() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(800, 5))
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    target = np.nan_to_num(matrix[:, 0]) + rng.normal(size=800)
    model = HistGradientBoostingRegressor(loss="quantile", quantile=0.9, max_iter=10, max_depth=DEPTH)
    with threadpool_limits(limits=1, user_api="openmp"):
        model.fit(matrix, target)

    np.testing.assert_allclose(grown_values(grown_of(model), matrix), model.predict(matrix), rtol=1e-12)


def test_a_column_unknown_everywhere_is_left_out() -> None:
    short = history_of(daily(5))  # a week's lag is unknown everywhere
    rows = rows_of(short, feature_spec(short, horizon=3, calendar={"timezone": "UTC", "holidays": ""}))
    assert np.isnan(rows.matrix).all(axis=0).any()

    content = fit_boosting(rows)

    assert len(content["members"][0]["columns"]) < rows.matrix.shape[1]
    assert np.isfinite(fitted_of(Family.BOOSTING, content, short, horizon=3).quantiles(short)).all()


@pytest.mark.parametrize(
    ("days", "families"),
    [
        (0.3, [Family.SEASONAL_NAIVE]),
        (5, [Family.SEASONAL_NAIVE, Family.RIDGE]),
        (7, [Family.SEASONAL_NAIVE, Family.RIDGE, Family.FOREST]),
        (42, FAMILIES),
    ],
)
def test_a_longer_history_lets_more_families_compete(days: float, families: list[Family]) -> None:
    able = eligible(history_of(daily(42)[: round(48 * days)]), pool="web")

    assert set(able.families) == set(families)
    assert set(able.left_out) == set(FAMILIES) - set(families)


def test_unknown_intervals_do_not_count_as_history() -> None:
    values = daily(42)
    values[200:] = np.nan

    able = eligible(history_of(values), pool="web")

    assert "boosting needs 2000 known intervals over 7 days, there are 200 over 4.2" in able.told


def test_a_short_history_gets_the_naive_and_says_so() -> None:
    made = fit(POOL, HISTORY.first(40))

    assert made.fitted.family is Family.SEASONAL_NAIVE
    assert "forest needs" in made.reason


@pytest.mark.parametrize("values", [[np.nan] * 500, [5.0] * 500, [0.0] * 500, [1.0, 2.0, 3.0]])
def test_garbage_is_refused(values: list[float]) -> None:
    with pytest.raises(TrainingRefused, match="web"):
        fit(POOL, history_of(np.array(values)))


def test_a_family_that_was_asked_for_is_fitted_or_refused() -> None:
    with pytest.raises(TrainingRefused, match="boosting needs"):
        fit(POOL, HISTORY, family=Family.BOOSTING)


def test_demand_in_another_step_needs_the_same_time() -> None:
    hourly = history_of(daily(3, step=2 * HALF_HOUR), step=timedelta(hours=1))

    assert eligible(hourly, pool="web").families == (Family.SEASONAL_NAIVE,)
