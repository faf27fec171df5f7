"""Names of what we emit, and the one way to emit it: a JSON object as the log message.

Through the Functions host ``logging(extra=…)`` does not reach ``customDimensions``; a JSON message does
(``parse_json(message)`` in a query).
"""

import json
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.version import VERSION

logger = logging.getLogger("forescale")


class Event(StrEnum):
    """Every event that Forescale emits; a name, once released, never changes its meaning."""

    SCALE_DECISION = "scale_decision"
    POOL_FAILED = "pool_failed"
    MODEL_REFUSED = "model_refused"
    RESIZE_OUTCOME = "resize_outcome"
    MODEL_PUBLISHED = "model_published"
    MODEL_PROMOTED = "model_promoted"
    RETRAINING = "retraining"


def emit(event: Event, fields: Mapping[str, object], *, level: int = logging.INFO) -> None:
    """Log one event as one line of JSON; durations become seconds, instants ISO 8601.

    Each line starts with ``event`` and ``forescale``, the version that wrote it.
    """
    line = {"event": event, "forescale": VERSION, **fields}
    logger.log(level, "%s", json.dumps(line, default=_plain, allow_nan=False))


def _plain(value: object) -> Any:  # noqa: ANN401 - what json accepts has no narrower name
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if hasattr(value, "tolist"):
        return value.tolist()
    msg = f"telemetry cannot carry {type(value).__name__} {value!r}"
    raise TypeError(msg)
