"""Loaded models in memory, those of all pools in one place, within a bound of bytes: the one used longest ago goes."""

import threading
from collections import OrderedDict
from enum import StrEnum
from typing import NamedTuple

from shared.forecasting.model import PublishedModel

LIMIT_BYTES = 256 * 1024 * 1024
"""A pool's forests take 1 MB as they were published and 1 MB as they are today: room for more than a hundred pools."""


class Slot(StrEnum):
    """What a pool's model is kept as."""

    SERVING = "serving"
    """The last one that loaded well; its tag is that of the pointer that named it."""
    REFRESHED = "refreshed"
    """The same with what the history said at midnight; its tag names version and day."""


class CachedModel(NamedTuple):
    """A model, and the tag under which it is the right one."""

    tag: str
    model: PublishedModel


class ModelCache:
    """Safe between threads; no lock is held while a model is loaded or refreshed, so two may load the same at once."""

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._models: OrderedDict[tuple[Slot, str], CachedModel] = OrderedDict()
        self._sizes: dict[tuple[Slot, str], int] = {}
        self._lock = threading.Lock()

    def get(self, slot: Slot, pool: str) -> CachedModel | None:
        """Return a pool's model, whatever its tag, or None; it counts as used now."""
        with self._lock:
            cached = self._models.get((slot, pool))
            if cached is not None:
                self._models.move_to_end((slot, pool))
            return cached

    def put(self, slot: Slot, pool: str, cached: CachedModel) -> None:
        """Keep a pool's model in place of the one before; what was used longest ago goes until all fit."""
        size = cached.model.size_bytes
        with self._lock:
            self._models[slot, pool] = cached
            self._models.move_to_end((slot, pool))
            self._sizes[slot, pool] = size
            while self._models and sum(self._sizes.values()) > self._limit_bytes:
                oldest, _ = self._models.popitem(last=False)
                del self._sizes[oldest]

    @property
    def size_bytes(self) -> int:
        """What the arrays of all models in it take."""
        with self._lock:
            return sum(self._sizes.values())
