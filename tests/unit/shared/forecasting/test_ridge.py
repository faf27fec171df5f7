import numpy as np
import pytest

from shared.errors import ModelRefused
from shared.forecasting.file_format import write_model
from shared.forecasting.parameters import QUANTILE_LEVELS
from shared.forecasting.ridge import RidgeForecaster
from tests.demand import daily, history_of
from tests.models import training_set_on

PAST = history_of(daily(12))
SPEC = training_set_on(PAST).history_spec


@pytest.fixture(scope="module")
def ridge() -> RidgeForecaster:
    return RidgeForecaster.fit(training_set_on(PAST))


def test_its_quantiles_are_exceeded_as_often_as_they_say_where_it_was_fitted(ridge: RidgeForecaster) -> None:
    rows = ridge.historical_forecasts(PAST, first=400)[:-1, 0]
    level = int(np.argmin(np.abs(QUANTILE_LEVELS - 0.9)))

    assert np.mean(PAST.demand[401:] <= rows[:, level]) == pytest.approx(0.9, abs=0.03)


def test_a_model_with_a_calendar_knows_its_holidays() -> None:
    spanish = RidgeForecaster.fit(training_set_on(PAST, timezone="Europe/Madrid", holidays="ES-MD"))

    assert "holiday_tomorrow" in spanish.feature_names
    assert np.isfinite(spanish.quantiles(PAST)).all()


def test_its_file_is_small(ridge: RidgeForecaster) -> None:
    assert len(write_model(ridge.to_parameters())) < 8_000


def test_between_fits_nothing_is_taken_in(ridge: RidgeForecaster) -> None:
    assert ridge.refresh(PAST) is ridge


def test_errors_that_fall_are_refused(ridge: RidgeForecaster) -> None:
    parameters = dict(ridge.to_parameters())
    wrong = {**parameters, "errors": parameters["errors"][:, ::-1].copy()}

    with pytest.raises(ModelRefused, match="parameter 'errors' of a ridge model falls where it must increase"):
        RidgeForecaster.from_parameters(wrong, SPEC)
