from typing import Any

import numpy as np
import pytest

from shared.errors import ModelRefused
from shared.forecasting.parameter_reader import ParameterReader


def reader(**arrays: Any) -> ParameterReader:
    return ParameterReader({name: np.array(value) for name, value in arrays.items()}, family="ridge")


def test_what_is_as_it_should_be_is_returned() -> None:
    taking = reader(a=[1.0, 2.0], flag=[True], n=3.5)

    assert taking.take("a", np.float64, (2,), within=(1, 2)).tolist() == [1.0, 2.0]
    assert taking.take("flag", np.bool_, (None,)).tolist() == [True]
    assert taking.number("n") == 3.5
    taking.finish()


def test_an_array_without_values_has_no_bounds_to_break() -> None:
    assert reader(a=np.empty((0, 3))).take("a", np.float64, (None, 3), within=(5, 6)).shape == (0, 3)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        pytest.param([1, 2], "is of type int64, not float64", id="whole numbers"),
        pytest.param([1.0], r"has shape \(1,\), not \(2\)", id="too short"),
        pytest.param([[1.0, 2.0]], r"has shape \(1, 2\), not \(2\)", id="two axes"),
        pytest.param(1.0, r"has shape \(\), not \(2\)", id="no axis"),
        pytest.param([1.0, np.nan], "lies within nan and nan", id="NaN"),
        pytest.param([1.0, np.inf], "lies within 1 and inf", id="infinite"),
        pytest.param([-1.0, 1.0], "lies within -1 and 1, allowed are 0 to 2", id="out of bounds"),
    ],
)
def test_what_is_not_is_refused_by_name(value: Any, fault: str) -> None:
    with pytest.raises(ModelRefused, match=f"parameter 'a' of a ridge model {fault}"):
        reader(a=value).take("a", np.float64, (2,), within=(0, 2))


def test_an_array_that_is_missing_is_refused() -> None:
    with pytest.raises(ModelRefused, match="parameter 'b' of a ridge model is missing"):
        reader(a=1.0).number("b")


def test_an_array_that_nobody_takes_is_refused() -> None:
    with pytest.raises(ModelRefused, match="parameter 'a' of a ridge model is not known"):
        reader(b=1.0, a=1.0).finish()


def test_quantiles_that_fall_are_refused() -> None:
    assert reader(a=[[1.0, 1.0, 2.0]]).increasing("a", (1, 3), within=(0, 9)).shape == (1, 3)
    with pytest.raises(ModelRefused, match="falls where it must increase"):
        reader(a=[[1.0, 3.0, 2.0]]).increasing("a", (1, 3), within=(0, 9))
