"""Demand as the answer to a PromQL range query; Azure Monitor workspaces are asked with the app's identity."""

import math
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest

from shared.cloud.http_client import DEFAULT_LIMITS, IS_READ, HttpLimits, http_client
from shared.demand.history import History, history_from_rows
from shared.errors import DemandError, DemandUnavailable
from shared.pools import PrometheusDemand

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

AZURE_MONITOR_SUFFIXES = (
    ".prometheus.monitor.azure.com",
    ".prometheus.monitor.azure.us",
    ".prometheus.monitor.azure.cn",
)
AZURE_MONITOR_SCOPE = "https://prometheus.monitor.azure.com/.default"
POINTS_PER_QUERY = 10_000
"""Prometheus answers at most 11,000 points a series."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PrometheusDemandSource:
    """``shared.demand.source.DemandSource`` over the HTTP API of Prometheus, ``/api/v1/query_range``."""

    def __init__(
        self, demand: PrometheusDemand, credential: "TokenCredential | None", limits: HttpLimits = DEFAULT_LIMITS
    ) -> None:
        host = urlsplit(demand.endpoint).hostname or ""
        sign_in = []
        if credential is not None and host.endswith(AZURE_MONITOR_SUFFIXES):
            sign_in.append(BearerTokenCredentialPolicy(credential, AZURE_MONITOR_SCOPE))
        self._demand = demand
        self._client = http_client(demand.endpoint, *sign_in, limits=limits)

    def history(self, now_utc: datetime) -> History:
        """See :class:`shared.demand.source.DemandSource`; a sample at ``t`` is the interval that ends at ``t``."""
        step = timedelta(minutes=self._demand.step_min)
        end = EPOCH + (now_utc - EPOCH) // step * step
        start = end - timedelta(days=self._demand.history_days) // step * step
        samples: dict[datetime, float] = {}
        while start <= end:
            stop = min(end, start + (POINTS_PER_QUERY - 1) * step)
            samples.update(self._range(start, stop, step))
            start = stop + step
        if not samples:
            msg = f"the query {self._demand.query!r} found no data at {self._demand.endpoint}"
            raise DemandError(msg)
        rows = [(instant - step, (value,)) for instant, value in sorted(samples.items())]
        return history_from_rows(rows, step=step, unit=self._demand.unit).until(now_utc).trimmed()

    def _range(self, start: datetime, end: datetime, step: timedelta) -> dict[datetime, float]:
        series = self._result(start, end, step)
        if len(series) > 1:
            msg = f"the query {self._demand.query!r} yields {len(series)} series, one is needed: wrap it in sum(…)"
            raise DemandError(msg)
        try:
            return {
                datetime.fromtimestamp(float(instant), tz=UTC): _value(text)
                for one in series
                for instant, text in one["values"]
            }
        except (ValueError, KeyError, TypeError, OverflowError, OSError) as exc:
            msg = f"Prometheus at {self._demand.endpoint} answered with a sample that is none ({exc})"
            raise DemandUnavailable(msg) from exc

    def _result(self, start: datetime, end: datetime, step: timedelta) -> list[dict[str, Any]]:
        request = HttpRequest(
            "POST",
            f"{self._demand.endpoint.rstrip('/')}/api/v1/query_range",
            data={
                "query": self._demand.query,
                "start": start.timestamp(),
                "end": end.timestamp(),
                "step": step.total_seconds(),
            },
        )
        try:
            response = self._client.send_request(request, **{IS_READ: True})
        except AzureError as exc:
            msg = f"Prometheus at {self._demand.endpoint} did not answer: {type(exc).__name__}: {exc.message}"
            raise DemandUnavailable(msg) from exc
        if response.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
            msg = f"Prometheus at {self._demand.endpoint} refused {self._demand.query!r}: {response.text()[:200]}"
            raise DemandError(msg)
        if response.status_code != HTTPStatus.OK:
            msg = f"Prometheus at {self._demand.endpoint} answered {response.status_code}"
            raise DemandUnavailable(msg)
        try:
            result: list[dict[str, Any]] = list(response.json()["data"]["result"])
        except (ValueError, KeyError, TypeError) as exc:
            msg = f"Prometheus at {self._demand.endpoint} answered with no range result"
            raise DemandUnavailable(msg) from exc
        return result


def _value(text: str) -> float:
    """Return a sample; what is not finite (``NaN``, ``+Inf`` of a division by zero) is unknown."""
    value = float(text)
    return value if math.isfinite(value) else math.nan
