"""Numbers that several families share: the quantile levels of their forecasts, and what was tuned, with its source.

What one family alone needs stands in that family's file.
"""

import numpy as np

QUANTILE_LEVELS = np.concatenate(
    [[0.02, 0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85], 1 - np.geomspace(0.1, 5e-4, 15), 1 - np.geomspace(2e-4, 2e-6, 5)]
)
"""Levels that the demand models forecast: coarse in the body, geometric in the upper tail, where sizing decides.

The last levels are for prices of a miss far above anything seen: a price of a million still finds a level to buy.
"""

MAX_TRAINING_DAYS = 60
"""Days of history that a model looks at when it is fitted or refreshed."""
MIN_TRAINING_ROWS = 100
"""Fewer rows than this make no regression: there are some seventy features."""
HALF_LIFE_DAYS = 30.0
"""For expectations, the splits of trees and boosting, a day so long ago counts half (docs/decisions/0002)."""
FLOOR_SHARE = 0.02
"""Share of the mean demand that is added before the logarithm, so that zero is allowed."""
