"""Asks the app to retrain, waits for the outcome, reports the scores; retrain.yml runs it, signed in with az."""

import argparse
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin

from infra.pipelines.steps import PipelineFailed, az, until

OVER = frozenset({"completed", "failed", "canceled", "refused"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Retrain; returns 0 when the run completed, whether or not a model was promoted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resource-group", required=True)
    parser.add_argument("--app", required=True)
    parser.add_argument("--url", required=True, help="base address of the HTTP functions")
    parser.add_argument("--client-id", default="", help="of the app registration; empty without Entra sign-in")
    parser.add_argument("--pool", default="", help="empty: every pool")
    parser.add_argument("--reason", default="pipeline")
    parser.add_argument("--idempotency-key", required=True)
    parser.add_argument("--timeout-s", type=float, default=3 * 3600)
    parser.add_argument("--every-s", type=float, default=30)
    options = parser.parse_args(arguments)
    try:
        return _report(_finished(options))
    except PipelineFailed as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1


def _finished(options: argparse.Namespace) -> dict[str, Any]:
    headers = _credentials(options)
    asked = {"reason": options.reason, **({"pools": [options.pool.strip()]} if options.pool.strip() else {})}
    base = options.url.rstrip("/")
    status, location, answer = _call(
        "POST", f"{base}/api/retrain", headers | {"Idempotency-Key": options.idempotency_key}, asked
    )
    if status != HTTPStatus.ACCEPTED or not location:
        msg = f"the app did not accept the retraining: {status} {json.dumps(answer)}"
        raise PipelineFailed(msg)
    run = urljoin(f"{base}/", location)
    print(f"accepted: {run}")

    def over() -> dict[str, Any] | None:
        _, _, report = _call("GET", run, headers, None)
        print(f"{report.get('state')}, {float(report.get('progress') or 0):.0%}")
        return report if report.get("state") in OVER else None

    return until(over, timeout_s=options.timeout_s, every_s=options.every_s, waiting_for="the retraining to end")


def _credentials(options: argparse.Namespace) -> dict[str, str]:
    """Return the headers that open the endpoint: fetched for this run, held in memory, printed nowhere."""
    about = ("--resource-group", options.resource_group, "--name", options.app)
    headers = {"x-functions-key": str(az("functionapp", "keys", "list", *about)["functionKeys"]["default"])}
    if options.client_id:
        token = az("account", "get-access-token", "--resource", f"api://{options.client_id}")["accessToken"]
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _call(
    method: str, url: str, headers: dict[str, str], body: dict[str, Any] | None
) -> tuple[int, str, dict[str, Any]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - the deployment's own address
        url, data=data, method=method, headers={"Content-Type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as reply:  # noqa: S310 - as above
            return reply.status, reply.headers.get("Location", ""), json.loads(reply.read() or b"{}")
    except urllib.error.HTTPError as exc:
        msg = f"{method} {url} answered {exc.code}: {exc.read().decode(errors='replace')[:500]}"
        raise PipelineFailed(msg) from exc
    except (urllib.error.URLError, TimeoutError, ValueError) as exc:
        msg = f"{method} {url} failed: {exc}"
        raise PipelineFailed(msg) from exc


def _report(report: dict[str, Any]) -> int:
    for pool, result in sorted(report.get("results", {}).items()):
        print(f"{pool}: {result.get('stage')} {result.get('version') or ''} {result.get('why', '')}".rstrip())
        for who in ("candidate", "champion"):
            scores = ", ".join(f"{name} {value:.4g}" for name, value in sorted(result.get(who, {}).items()))
            print(f"  {who}: {scores or 'no scores'}")
    if report.get("state") != "completed":
        print(
            f"error: the retraining is {report.get('state')}: {report.get('detail') or report.get('note', '')}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
