import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.demand.csv_format import read_demand_csv, read_demand_rows, write_demand_csv
from shared.demand.history import MOST_DEMAND, History
from shared.errors import DemandError

HEAD = "timestamp,demand\n"


@st.composite
def histories(draw: st.DrawFn) -> History:
    signals = draw(st.sampled_from([("demand",), ("demand", "temperature"), ("a b", "c;d")]))
    value = st.floats(0, MOST_DEMAND) | st.just(math.nan)
    values = draw(st.lists(st.tuples(*[value] * len(signals)), min_size=2, max_size=12))
    return History(
        start_utc=draw(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))),  # noqa: DTZ001
        step=timedelta(seconds=draw(st.integers(1, 604_800))),
        values=np.array(values, dtype=np.float64),
        signals=signals,
    )


@given(written=histories())
def test_what_is_written_is_read(written: History) -> None:
    read = read_demand_csv(write_demand_csv(written), name="demand.csv", step=written.step)

    assert (read.start_utc, read.step, read.signals) == (written.start_utc, written.step, written.signals)
    assert np.array_equal(read.values, written.values, equal_nan=True)


@given(text=st.text(st.sampled_from("timesap,dn\n\r\"'0123456789-:TZ. e+\x00"), max_size=60))
def test_whatever_the_text_nothing_but_our_error_comes(text: str) -> None:
    with pytest.raises(DemandError, match=r"^demand\.csv"):
        read_demand_csv(HEAD + text + "\nx", name="demand.csv")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "the first line must be 'timestamp,demand', got ''", id="empty"),
        pytest.param("time,demand\n", "got 'time,demand'", id="another header"),
        pytest.param("timestamp\n", "got 'timestamp'", id="no signal"),
        pytest.param(HEAD, "the demand history is empty", id="nothing but a header"),
        pytest.param(HEAD + "yesterday,1\n", "line 2: 'yesterday' is not an ISO 8601 timestamp", id="no date"),
        pytest.param(HEAD + "0001-01-01T00:00:00+14:00,1\n", "line 2: '0001-01-01T00:00:00+14:00'", id="before time"),
        pytest.param(HEAD + "2026-11-22,1\n2026-11-23,one\n", "line 3: demand is 'one'", id="no number"),
        pytest.param(HEAD + "2026-11-22,NaN\n", "line 2: demand is 'NaN': demand must be finite", id="NaN"),
        pytest.param(HEAD + "2026-11-22,inf\n", "line 2: demand is 'inf'", id="infinite"),
        pytest.param(HEAD + "2026-11-22,1e999\n", "line 2: demand is '1e999'", id="beyond floats"),
        pytest.param(HEAD + "2026-11-22,-3\n", "line 2: demand is '-3'", id="negative"),
        pytest.param(HEAD + "2026-11-22,1,2\n", "line 2: expected 2 columns, got 3", id="a column too many"),
        pytest.param(HEAD + "2026-11-22\n", "line 2: expected 2 columns, got 1", id="a column too few"),
        pytest.param(HEAD + '2026-11-22,"' + "9" * 200_000, "line 2: field larger", id="a field without end"),
        pytest.param(HEAD + "2026-11-23,1\n2026-11-22,1\n", "2026-11-22T00:00:00+00:00 comes after", id="unordered"),
    ],
)
def test_a_fault_is_told_with_its_line_and_value(text: str, expected: str) -> None:
    with pytest.raises(DemandError) as error:
        read_demand_csv(text, name="demand.csv")

    assert str(error.value).startswith("demand.csv")
    assert expected in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("timestamp,demand\r\n2026-11-22,1\r\n2026-11-23,2\r\n", id="line ends of Windows"),
        pytest.param("timestamp,demand\r2026-11-22,1\r2026-11-23,2\r", id="line ends of old"),
        pytest.param("\ufefftimestamp,demand\n2026-11-22,1\n2026-11-23,2\n", id="a byte order mark"),
        pytest.param("timestamp, demand\n2026-11-22T00:00Z, 1\n\n2026-11-23T01:00+01:00, 2", id="spaces, blank lines"),
    ],
)
def test_what_spreadsheets_write_is_read(text: str) -> None:
    read = read_demand_csv(text, name="demand.csv")

    assert read.start_utc == datetime(2026, 11, 22, tzinfo=UTC)
    assert read.demand.tolist() == [1.0, 2.0]


def test_one_row_may_be_a_part_of_a_history() -> None:
    assert read_demand_rows(HEAD + "2026-11-22,4\n", name="today.csv").rows == [
        (datetime(2026, 11, 22, tzinfo=UTC), [4.0])
    ]
