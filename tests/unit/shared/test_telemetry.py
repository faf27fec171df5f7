"""One line of JSON an event."""

import json
import logging

import numpy as np
import pytest

from shared.telemetry import Event, emit
from shared.version import VERSION
from tests.builders import NOW, STEP


def test_an_event_is_one_line_of_json(caplog: pytest.LogCaptureFixture) -> None:
    fields = {"at": NOW, "took_s": STEP, "count": np.int64(3), "quantiles": np.array([1.0, 2.0]), "why": "a\nb"}

    with caplog.at_level(logging.INFO, logger="forescale"):
        emit(Event.SCALE_DECISION, fields)

    assert json.loads(caplog.messages[0]) == {
        "event": "scale_decision",
        "forescale": VERSION,
        "at": "2026-11-23T12:00:00+00:00",
        "took_s": 300.0,
        "count": 3,
        "quantiles": [1.0, 2.0],
        "why": "a\nb",
    }
    assert "\n" not in caplog.messages[0]


def test_an_event_keeps_its_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="forescale"):
        emit(Event.POOL_FAILED, {}, level=logging.ERROR)

    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_what_has_no_name_in_json_is_refused() -> None:
    with pytest.raises(TypeError, match="telemetry cannot carry object"):
        emit(Event.POOL_FAILED, {"what": object()})


def test_nan_is_no_telemetry() -> None:
    with pytest.raises(ValueError, match="JSON"):
        emit(Event.POOL_FAILED, {"demand": float("nan")})
