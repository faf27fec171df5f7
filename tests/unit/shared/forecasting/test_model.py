"""The table of families, models with their cards, and what is refused when one is loaded or asked."""

from typing import Any

import numpy as np
import pytest

from shared.demand.history import History
from shared.errors import DemandError, ModelRefused
from shared.forecasting.features import LOOK_BACK
from shared.forecasting.model import DEMAND_FAMILIES, FAMILIES, FittedModel, load_model
from shared.forecasting.training_set import TrainingSet
from tests import models
from tests.builders import NOW, draft_card, flat
from tests.demand import HALF_HOUR, daily, history_of
from tests.models import fitted, published, training_set_on

PAST = history_of(daily(12))


@pytest.fixture(scope="module")
def training_set() -> TrainingSet:
    return training_set_on(PAST)


@pytest.fixture(scope="module")
def by_family(training_set: TrainingSet) -> dict[str, FittedModel]:
    return {family: fitted(family, training_set) for family in models.DEMAND_FAMILIES}


def test_every_family_is_found_by_the_name_on_its_cards() -> None:
    assert list(FAMILIES) == ["seasonal_naive", "ridge", "forest", "boosting", "response_time"]
    assert [family.family for family in DEMAND_FAMILIES] == ["seasonal_naive", "ridge", "forest", "boosting"]


@pytest.mark.parametrize("family", models.DEMAND_FAMILIES)
def test_a_model_forecasts_the_same_after_its_file(by_family: dict[str, FittedModel], family: str) -> None:
    model = by_family[family]

    forecast = published(model, unit="requests/s").forecast(PAST, now_utc=NOW)

    np.testing.assert_array_equal(forecast.quantiles, model.forecaster.quantiles(PAST))
    np.testing.assert_array_equal(forecast.quantile_levels, model.quantile_levels)
    assert (forecast.first_utc, forecast.step, forecast.unit) == (PAST.end_utc, HALF_HOUR, "requests/s")


@pytest.mark.parametrize("family", models.DEMAND_FAMILIES)
def test_the_median_is_near_the_demand(by_family: dict[str, FittedModel], family: str) -> None:
    model = by_family[family]

    rows = model.forecaster.historical_forecasts(PAST, first=len(PAST) - 200)
    middle = rows[:-3, 0, int(np.argmin(np.abs(model.quantile_levels - 0.5)))]

    assert np.mean(np.abs(middle - PAST.demand[-199:-2])) < 0.25 * PAST.demand.mean()


@pytest.mark.parametrize("family", ["ridge", "boosting", "forest"])
def test_demand_unknown_everywhere_is_refused(by_family: dict[str, FittedModel], family: str) -> None:
    with pytest.raises(DemandError, match=f"no demand is known in the {LOOK_BACK.days} days"):
        by_family[family].forecaster.quantiles(history_of(np.full(400, np.nan)))


@pytest.mark.parametrize("value", [0.0, 1e-12, 1.0, 1e9, 1e17])
@pytest.mark.parametrize("family", models.DEMAND_FAMILIES)
def test_demand_unlike_any_before_is_still_forecast(
    by_family: dict[str, FittedModel], family: str, value: float
) -> None:
    assert np.isfinite(by_family[family].forecaster.quantiles(history_of(np.full(200, value)))).all()


def test_a_refresh_keeps_what_is_expected_and_the_card(by_family: dict[str, FittedModel]) -> None:
    model = published(by_family["forest"])

    refreshed = model.refresh(PAST)

    assert refreshed.card is model.card
    assert refreshed.fitted.spec == model.fitted.spec
    assert refreshed.size_bytes == pytest.approx(model.size_bytes, rel=0.05)


# what is refused


@pytest.mark.parametrize(
    ("card", "fault"),
    [
        pytest.param(
            {"family": "oracle"}, "is of the family 'oracle', this app knows seasonal_naive, ridge", id="family"
        ),
        pytest.param({"timezone": "Mars/Olympus"}, "the time zone 'Mars/Olympus'", id="time zone"),
        pytest.param({"timezone": "../../etc/passwd"}, "the time zone '../../etc/passwd'", id="a path as a time zone"),
        pytest.param({"holidays": "XX"}, "the holidays 'XX' are not known", id="country"),
        pytest.param({"holidays": "ES-MD"}, "'expectation.mean' of a ridge model has shape", id="other features"),
        pytest.param({"horizon": 4}, r"'expectation.mean' of a ridge model has shape", id="another horizon"),
        pytest.param({"family": "boosting"}, "'columns' of a boosting model is missing", id="another family's arrays"),
        pytest.param({"family": "seasonal_naive"}, "of a seasonal_naive model is not known", id="arrays for none"),
    ],
)
def test_a_card_that_does_not_fit_its_file_is_refused(
    by_family: dict[str, FittedModel], card: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ModelRefused, match=f"m: .*{fault}|m {fault}"):
        published(by_family["ridge"], **card)


def other_signals(log: History) -> History:
    return History(start_utc=log.start_utc, step=log.step, values=np.ones((len(log), 2)), signals=("demand", "users"))


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        pytest.param(flat(1.0), "demand every 0:30:00, the history has demand every 0:05:00: train again", id="step"),
        pytest.param(other_signals(PAST), "the history has demand, users every 0:30:00: train again", id="signals"),
    ],
)
def test_a_history_that_is_not_what_it_was_fitted_on_is_refused(
    by_family: dict[str, FittedModel], other: History, fault: str
) -> None:
    with pytest.raises(ModelRefused, match=fault):
        published(by_family["ridge"]).forecast(other, now_utc=NOW)


def test_numbers_within_bounds_that_lead_to_no_forecast_are_refused(by_family: dict[str, FittedModel]) -> None:
    parameters = dict(by_family["ridge"].forecaster.to_parameters())
    far_away = np.full_like(parameters["expectation.mean"], -1e9)
    steep = np.full_like(parameters["expectation.coefficients"], 100.0)
    steep[0] = 0.0  # what the next interval is off by would be taken for a level shift, and made good
    wild = {**parameters, "expectation.mean": far_away, "expectation.coefficients": steep}

    model = load_model(draft_card(family="ridge", step_s=1800.0, horizon=3), wild, name="m")

    with pytest.raises(ModelRefused, match="did not answer with a forecast .*finite.*: train again"):
        model.forecast(PAST, now_utc=NOW)
