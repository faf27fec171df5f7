"""One cache of models: bounded in bytes, the one used longest ago goes, safe between threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.forecasting.model import PublishedModel
from shared.forecasting.model_cache import CachedModel, ModelCache, Slot
from tests.demand import daily, history_of
from tests.models import fitted, published, training_set_on

POOLS = [f"pool-{number}" for number in range(8)]


@pytest.fixture(scope="module")
def model() -> PublishedModel:
    return published(fitted("ridge", training_set_on(history_of(daily(8)))))


def kept(cache: ModelCache, slot: Slot = Slot.SERVING) -> list[str]:
    return [pool for pool in POOLS if cache.get(slot, pool) is not None]


def test_what_was_put_is_there_with_its_tag(model: PublishedModel) -> None:
    cache = ModelCache()
    cache.put(Slot.SERVING, "web", CachedModel(tag="etag", model=model))

    assert cache.get(Slot.SERVING, "web") == CachedModel(tag="etag", model=model)
    assert cache.get(Slot.REFRESHED, "web") is None
    assert cache.get(Slot.SERVING, "batch") is None


def test_a_models_size_is_that_of_its_arrays(model: PublishedModel) -> None:
    cache = ModelCache()
    cache.put(Slot.SERVING, "web", CachedModel(tag="1", model=model))
    cache.put(Slot.SERVING, "web", CachedModel(tag="2", model=model))

    arrays = model.fitted.forecaster.to_parameters().values()

    assert cache.size_bytes == model.size_bytes == sum(array.nbytes for array in arrays) > 1000


def test_the_one_used_longest_ago_goes_first(model: PublishedModel) -> None:
    cache = ModelCache(limit_bytes=3 * model.size_bytes)
    for_each = CachedModel(tag="1", model=model)
    cache.put(Slot.SERVING, "pool-0", for_each)
    cache.put(Slot.SERVING, "pool-1", for_each)
    cache.put(Slot.SERVING, "pool-2", for_each)

    cache.get(Slot.SERVING, "pool-0")
    cache.put(Slot.SERVING, "pool-3", for_each)

    assert kept(cache) == ["pool-0", "pool-2", "pool-3"]
    assert cache.size_bytes == 3 * model.size_bytes


def test_all_slots_share_the_bound(model: PublishedModel) -> None:
    cache = ModelCache(limit_bytes=2 * model.size_bytes)
    cache.put(Slot.SERVING, "pool-0", CachedModel(tag="1", model=model))
    cache.put(Slot.REFRESHED, "pool-0", CachedModel(tag="1", model=model))
    cache.put(Slot.REFRESHED, "pool-1", CachedModel(tag="1", model=model))

    assert (kept(cache), kept(cache, Slot.REFRESHED)) == ([], ["pool-0", "pool-1"])


def test_a_model_larger_than_the_bound_is_not_kept(model: PublishedModel) -> None:
    cache = ModelCache(limit_bytes=model.size_bytes - 1)
    cache.put(Slot.SERVING, "web", CachedModel(tag="1", model=model))

    assert cache.get(Slot.SERVING, "web") is None
    assert cache.size_bytes == 0


def test_threads_that_put_and_get_at_once_never_exceed_the_bound(model: PublishedModel) -> None:
    cache = ModelCache(limit_bytes=3 * model.size_bytes)

    def use(turn: int) -> bool:
        pool = POOLS[turn % len(POOLS)]
        cache.put(Slot.SERVING, pool, CachedModel(tag=str(turn), model=model))
        cache.get(Slot.SERVING, POOLS[(turn * 3) % len(POOLS)])
        return cache.size_bytes <= 3 * model.size_bytes

    with ThreadPoolExecutor(8) as threads:
        within = list(threads.map(use, range(800)))

    assert all(within)
    assert len(kept(cache)) == 3
