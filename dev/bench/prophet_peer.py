"""Prophet, with its own prediction interval: a curve over time that knows nothing of the latest values."""

import logging
from datetime import UTC

import numpy as np

from dev.bench.rolling import Block, Floats
from dev.bench.trace import Trace

SEED = 7


def prophet(trace: Trace, block: Block, *, slo: float) -> Floats:
    """Return the upper quantiles of Prophet after each decision; it takes unknown values as unknown."""
    import pandas as pd  # noqa: PLC0415 - a peer's package
    from prophet import Prophet  # noqa: PLC0415 - a peer's package

    for name in ("cmdstanpy", "prophet"):
        logging.getLogger(name).setLevel(logging.ERROR)
    start = trace.history.start_utc.astimezone(UTC).replace(tzinfo=None)
    stamps = pd.date_range(start, periods=len(block.known) + block.horizon, freq=trace.history.step)
    known = trace.history.demand[: block.first + 1]
    np.random.seed(SEED)  # noqa: NPY002 - Prophet draws its intervals from the legacy generator
    model = Prophet(interval_width=2 * slo - 1)
    model.fit(pd.DataFrame({"ds": stamps[: len(known)], "y": known}), seed=SEED)
    upper = model.predict(pd.DataFrame({"ds": stamps[block.first + 1 :]}))["yhat_upper"].to_numpy()
    return np.lib.stride_tricks.sliding_window_view(upper, block.horizon)[: len(block.decisions)]
