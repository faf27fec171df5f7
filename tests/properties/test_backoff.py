"""Waits after a refusal."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scaler.core.backoff import BACKOFF_POLICIES, BLOCKS_ONLY_GROWTH, MAX_RETRY_AFTER, Backoff, next_backoff
from scaler.core.reasons import Reason

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
reasons = st.sampled_from(sorted(BACKOFF_POLICIES))
failures = st.integers(min_value=1, max_value=10_000)
asked = st.timedeltas(min_value=timedelta(days=-1), max_value=timedelta(days=400))


def backoff(reason: Reason, count: int) -> Backoff:
    return Backoff(reason=reason, failures=count, until=NOW)


@given(reason=reasons, count=failures)
def test_another_failure_never_shortens_the_wait(reason: Reason, count: int) -> None:
    assert BACKOFF_POLICIES[reason].wait(count) <= BACKOFF_POLICIES[reason].wait(count + 1)


@given(reason=reasons, count=failures, retry_after=asked)
def test_a_wait_is_never_negative_and_never_beyond_its_most(reason: Reason, count: int, retry_after: timedelta) -> None:
    wait = next_backoff(reason, backoff(reason, count), now_utc=NOW, retry_after=retry_after).until - NOW

    assert timedelta() <= wait <= max(BACKOFF_POLICIES[reason].max_wait, MAX_RETRY_AFTER)


@given(reason=reasons, count=failures, retry_after=asked)
def test_never_asks_earlier_than_it_was_told(reason: Reason, count: int, retry_after: timedelta) -> None:
    wait = next_backoff(reason, backoff(reason, count), now_utc=NOW, retry_after=retry_after).until - NOW

    assert wait >= min(retry_after, MAX_RETRY_AFTER)


@given(reason=reasons, other=reasons, count=failures)
def test_failures_count_only_in_a_row_and_of_one_kind(reason: Reason, other: Reason, count: int) -> None:
    next_one = next_backoff(reason, backoff(other, count), now_utc=NOW)

    assert next_one.failures == (count + 1 if other is reason else 1)


@given(reason=reasons, count=failures)
def test_the_same_failures_make_the_same_wait(reason: Reason, count: int) -> None:
    assert next_backoff(reason, backoff(reason, count), now_utc=NOW) == next_backoff(
        reason, backoff(reason, count), now_utc=NOW
    )


@given(reason=reasons, minutes=st.integers(min_value=0, max_value=60))
def test_a_backoff_ends(reason: Reason, minutes: int) -> None:
    waiting = Backoff(reason=reason, failures=1, until=NOW + timedelta(minutes=30))

    assert waiting.blocks(adds_nodes=True, now_utc=NOW + timedelta(minutes=minutes)) is (minutes < 30)


@given(reason=reasons)
def test_a_shortage_never_keeps_nodes_from_being_given_back(reason: Reason) -> None:
    waiting = Backoff(reason=reason, failures=1, until=NOW + timedelta(minutes=30))

    assert waiting.blocks(adds_nodes=False, now_utc=NOW) is (reason not in BLOCKS_ONLY_GROWTH)


def test_no_capacity_waits_twice_as_long_each_time_up_to_an_hour() -> None:
    waits = [BACKOFF_POLICIES[Reason.NO_CAPACITY].wait(count).total_seconds() / 60 for count in range(1, 7)]

    assert waits == [5, 10, 20, 40, 60, 60]
