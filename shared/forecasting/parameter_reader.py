"""Takes a model's arrays one by one, checking each: nothing of a model file is used before it was looked at."""

from typing import NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelRefused
from shared.forecasting.forecaster import Parameters

Scalar = TypeVar("Scalar", bound=np.generic)

ANY_NUMBER = (-1e12, 1e12)
"""Bounds where a family has none of its own: far from where sums and products overflow."""
LOG_RATIOS = (-100.0, 100.0)
"""Bounds of logarithms of a ratio of demands: e^100 is beyond any."""


class ParameterReader:
    """The arrays of one model file; whatever is not as the family has it is refused by the array's name."""

    def __init__(self, parameters: Parameters, *, family: str) -> None:
        self._left = dict(parameters)
        self._family = family

    def take(
        self,
        name: str,
        dtype: type[Scalar],
        shape: tuple[int | None, ...],
        *,
        within: tuple[float, float] = ANY_NUMBER,
    ) -> NDArray[Scalar]:
        """Return an array of that type and shape (None: any length), all of whose values are finite and within bounds.

        Raises :class:`~shared.errors.ModelRefused`.
        """
        if name not in self._left:
            self.refuse(name, "is missing")
        array = self._left.pop(name)
        if array.dtype != np.dtype(dtype):
            self.refuse(name, f"is of type {array.dtype}, not {np.dtype(dtype)}")
        lengths_fit = all(wanted in {None, length} for wanted, length in zip(shape, array.shape, strict=False))
        if array.ndim != len(shape) or not lengths_fit:
            wanted = ", ".join("any" if length is None else str(length) for length in shape)
            self.refuse(name, f"has shape {array.shape}, not ({wanted})")
        if array.size and array.dtype != np.dtype(np.bool_):
            low, high = within
            smallest, largest = float(array.min()), float(array.max())  # NaN if one is
            if not (low <= smallest and largest <= high):
                self.refuse(name, f"lies within {smallest:g} and {largest:g}, allowed are {low:g} to {high:g}")
        return array

    def number(self, name: str, *, within: tuple[float, float] = ANY_NUMBER) -> float:
        """Return an array of one number as that number."""
        return float(self.take(name, np.float64, (), within=within))

    def increasing(
        self, name: str, shape: tuple[int | None, ...], *, within: tuple[float, float]
    ) -> NDArray[np.float64]:
        """Return an array whose values never fall along its last axis."""
        array = self.take(name, np.float64, shape, within=within)
        if (np.diff(array, axis=-1) < 0).any():
            self.refuse(name, "falls where it must increase")
        return array

    def finish(self) -> None:
        """Refuse whatever was not taken: a family knows all of its arrays."""
        if self._left:
            self.refuse(min(self._left), "is not known")

    def refuse(self, name: str, fault: str) -> NoReturn:
        """Raise :class:`~shared.errors.ModelRefused` for an array."""
        msg = f"parameter {name!r} of a {self._family} model {fault}"
        raise ModelRefused(msg)
