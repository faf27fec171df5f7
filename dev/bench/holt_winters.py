"""Holt-Winters as predictive pod autoscalers use it: additive trend, additive one-day season, normal interval.

``statsmodels`` estimates the parameters; between fits the state moves on by the same recursions (they reproduce the
package's own fitted values to 1e-12, measured 2026-11-22), for it offers no cheap way to append one value.
"""

from dataclasses import dataclass

import numpy as np

from dev.bench.rolling import Block, Floats, normal_uppers


@dataclass(slots=True, kw_only=True)
class Smoother:
    """The recursions of additive Holt-Winters; ``season`` holds one day, the next interval's value first."""

    alpha: float
    beta: float
    gamma: float
    level: float
    trend: float
    season: list[float]

    def learn(self, value: float) -> float:
        """Take in the next value; return by how much it was above its forecast."""
        season = self.season.pop(0)
        expected = self.level + self.trend
        level = self.alpha * (value - season) + (1 - self.alpha) * expected
        self.season.append(self.gamma * (value - expected) + (1 - self.gamma) * season)
        self.trend = self.beta * (level - self.level) + (1 - self.beta) * self.trend
        self.level = level
        return value - expected - season

    def means(self, horizon: int) -> list[float]:
        """Return the forecasts for the next intervals, fewer than a day."""
        return [self.level + (ahead + 1) * self.trend + self.season[ahead] for ahead in range(horizon)]

    def deviations(self, sigma: float, horizon: int) -> Floats:
        """Return the standard deviations of the errors 1 … ``horizon`` ahead (Hyndman et al. 2008, table 6.2)."""
        effects = self.alpha * (1 + self.beta * np.arange(1, horizon))
        variances: Floats = np.concatenate([[1.0], 1 + np.cumsum(effects**2)])
        return sigma * np.sqrt(variances)


def holt_winters(block: Block, *, slo: float) -> Floats:
    """Return the upper quantiles of Holt-Winters after each decision."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing  # noqa: PLC0415 - a peer's package

    training = block.training
    if np.ptp(training) == 0:
        return np.full((len(block.decisions), block.horizon), training[-1])
    fitted = ExponentialSmoothing(
        training,
        trend="add",
        seasonal="add",
        seasonal_periods=block.per_day,
        initialization_method="heuristic",
    ).fit()
    parameters = fitted.params
    smoother = Smoother(
        alpha=float(parameters["smoothing_level"]),
        beta=float(parameters["smoothing_trend"]),
        gamma=float(parameters["smoothing_seasonal"]),
        level=float(parameters["initial_level"]),
        trend=float(parameters["initial_trend"]),
        season=[float(value) for value in parameters["initial_seasons"]],
    )
    errors = np.array([smoother.learn(value) for value in training.tolist()])
    deviations = smoother.deviations(float(np.sqrt(np.mean(errors**2))), block.horizon)
    means = [smoother.means(block.horizon)]
    for value in block.known[block.first + 1 :].tolist():
        smoother.learn(value)
        means.append(smoother.means(block.horizon))
    return normal_uppers(np.array(means), deviations, slo=slo)
