from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.demand.workshop_log import read_workshop_log
from shared.errors import DemandError
from tests.fakes.hostile_pickles import hostile_pickles
from tests.fakes.workshop_logs import log_bytes, workshop_log

TODAY = datetime(2026, 11, 23, tzinfo=UTC)
SMALL = log_bytes(np.array([[1, 2, 3], [4, 5, 6]], dtype=np.int32), np.array([7.5, 8.5]))


YEAR = workshop_log()


def test_a_log_is_read_as_days_that_end_today() -> None:
    history = read_workshop_log(YEAR, end_utc=TODAY)

    assert history.signals == ("completion_time_s", "admin_users", "config_users", "end_users")
    assert (len(history), history.end_utc, history.step) == (365, TODAY, timedelta(days=1))
    assert (history.values.min(axis=0) >= [1, 1, 1, 1000]).all()
    assert (history.values.max(axis=0) <= [240, 10, 50, 10_000]).all()


def test_the_workshops_own_log_is_read(seed_folder: Path) -> None:
    history = read_workshop_log((seed_folder / "log_data.pkl").read_bytes(), end_utc=TODAY)

    assert (len(history), history.end_utc) == (365, TODAY)
    assert (history.values.min(axis=0) >= [1, 1, 1, 1000]).all()
    assert (history.values.max(axis=0) <= [240, 10, 50, 10_000]).all()


def test_a_log_that_joblib_would_write_today_is_read() -> None:
    history = read_workshop_log(SMALL, end_utc=TODAY)

    assert history.values.tolist() == [[7.5, 1, 2, 3], [8.5, 4, 5, 6]]


@pytest.mark.parametrize("attempt", sorted(hostile_pickles("trap")))
def test_a_malicious_pickle_is_refused_and_runs_nothing(attempt: str, tmp_path: Path) -> None:
    trap = tmp_path / "trap"

    with pytest.raises(DemandError, match=r"^log_data\.pkl (is refused|is cut off or damaged)") as raised:
        read_workshop_log(hostile_pickles(str(trap))[attempt], end_utc=TODAY)

    assert not trap.exists()
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("attempt", "named"),
    [
        ("os.system by REDUCE", "it names os.system"),
        ("eval by INST", "it names builtins.eval"),
        ("exec in a tuple", "it names builtins.exec"),
        ("numpy.load with pickles", "it names numpy.load"),
        ("an object dtype", "'O8'"),
    ],
)
def test_what_is_refused_is_named(attempt: str, named: str) -> None:
    with pytest.raises(DemandError) as raised:
        read_workshop_log(hostile_pickles("trap")[attempt], end_utc=TODAY)

    assert named in str(raised.value)


def test_a_log_cut_off_at_any_byte_is_one_clear_error() -> None:
    refused = [refusal_of(SMALL[:length]) for length in range(len(SMALL))]

    assert all(message.startswith("log_data.pkl") for message in refused)


def test_a_year_of_log_cut_off_anywhere_is_one_clear_error() -> None:
    refused = [refusal_of(YEAR[:length]) for length in range(0, len(YEAR), 97)]

    assert all(message.startswith("log_data.pkl") for message in refused)


def refusal_of(data: bytes) -> str:
    with pytest.raises(DemandError) as raised:
        read_workshop_log(data, end_utc=TODAY)
    return str(raised.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_log_is_read_or_refused(flips: list[tuple[int, int]]) -> None:
    damaged = bytearray(SMALL)
    for place, value in flips:
        damaged[place] = value

    assert outcome_of(bytes(damaged)) in {"read", "refused"}


@given(data=st.binary(max_size=80))
def test_any_bytes_are_refused(data: bytes) -> None:
    assert outcome_of(data) == "refused"


def outcome_of(data: bytes) -> str:
    try:
        read_workshop_log(data, end_utc=TODAY)
    except DemandError:
        return "refused"
    return "read"


@pytest.mark.parametrize(
    ("x", "y"),
    [
        pytest.param(np.ones((2, 2)), np.ones(2), id="two counts"),
        pytest.param(np.ones((2, 3)), np.ones(3), id="days that differ"),
        pytest.param(np.ones((0, 3)), np.ones(0), id="no days"),
        pytest.param(np.ones(3), np.ones(3), id="one axis"),
        pytest.param(np.ones((2, 3)), np.array([1.0, np.nan]), id="NaN"),
        pytest.param(np.ones((2, 3)), np.array([1.0, np.inf]), id="infinite"),
        pytest.param(np.ones((2, 3)), np.array([1.0, -1.0]), id="negative"),
    ],
)
def test_arrays_that_are_no_log_are_refused(x: np.ndarray, y: np.ndarray) -> None:
    with pytest.raises(DemandError):
        read_workshop_log(log_bytes(x, y), end_utc=TODAY)


def test_an_array_that_claims_to_be_huge_takes_no_memory() -> None:
    huge = log_bytes(np.ones((2, 3)), np.ones(2), claimed_shape=(2**40, 2**20))

    with pytest.raises(DemandError, match=r"needs .* bytes, .* are left"):
        read_workshop_log(huge, end_utc=TODAY)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(b"N", "does not say what it holds", id="no state"),
        pytest.param(b"}", "does not say what it holds", id="an empty state"),
        pytest.param(b"}X\x05\x00\x00\x00dtypeK\x03s", "does not say what it holds", id="a dtype that is none"),
    ],
)
def test_a_wrapper_that_says_nothing_of_its_array_is_refused(state: bytes, expected: str) -> None:
    with pytest.raises(DemandError, match=expected):
        read_workshop_log(b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81" + state + b"b.", end_utc=TODAY)


def test_a_state_for_anything_else_is_refused() -> None:
    with pytest.raises(DemandError, match="it sets the state of a list"):
        read_workshop_log(b"]}b.", end_utc=TODAY)


def test_an_array_of_another_shape_or_order_than_a_log_has_is_refused() -> None:
    odd = SMALL.replace(b"X\x01\x00\x00\x00C", b"X\x01\x00\x00\x00Z")

    with pytest.raises(DemandError, match="in order 'Z'"):
        read_workshop_log(odd, end_utc=TODAY)


@pytest.mark.parametrize("content", [b"K\x01.", b"(K\x01K\x02K\x03t.", b"]."])
def test_what_is_no_pair_of_arrays_is_refused(content: bytes) -> None:
    with pytest.raises(DemandError, match="not the tuple"):
        read_workshop_log(content, end_utc=TODAY)
