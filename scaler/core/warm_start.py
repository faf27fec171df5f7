"""What a pool takes over from a published model: a first table of miss prices, and doubt at a change of models.

The table of prices says how often each price's plan missed *under the forecasts of one model*. Another model's errors
are others, yet the demand is the same, so its table is seldom far off. Hence a change of model neither drops the table
(the pool would start cold, and pay for its doubt for days) nor trusts it fully (under a worse model the pool would miss
until it forgot). The old table is faded, and what the new model's own backtest learnt fills the place. The pool's
*debt* is left alone: it is owed to the SLO, not to a model.
"""

from dataclasses import replace

import numpy as np

from scaler.core.memory import Memory
from scaler.core.sizing import MISS_PRICES
from shared.forecasting.card import ModelCard, PriceTable

KEPT_ON_CHANGE = 0.5
"""Share of a table's weight that outlives a change of model; a backtest's table has about as much to add."""


def warm_start(memory: Memory, card: ModelCard | None, *, units_per_node: float) -> Memory:
    """Return the memory as it should be when the model of ``card`` forecasts; the same again if it did so before.

    Without a card (a fallback forecasts) nothing changes: that is for a tick or two, no other model.
    """
    if card is None or card.version == memory.model_version:
        return memory
    own, prices = memory.miss_price, _usable(card.prices, units_per_node)
    misses, intervals = own.misses_by_price * KEPT_ON_CHANGE, own.plan_intervals * KEPT_ON_CHANGE
    if prices is not None:
        share = 1.0 - KEPT_ON_CHANGE if own.plan_intervals else 1.0
        misses, intervals = misses + share * np.array(prices.missed), intervals + share * prices.seen
    state = replace(own, plan_misses=tuple(misses.tolist()), plan_intervals=intervals)
    return replace(memory, miss_price=state, model_version=card.version)


def _usable(prices: PriceTable | None, units_per_node: float) -> PriceTable | None:
    """Return the table if it is of our prices, in nodes of our size."""
    if prices is None or len(prices.missed) != len(MISS_PRICES) or prices.units_per_node != units_per_node:
        return None
    return prices
