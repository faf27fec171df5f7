"""Tries a published app: its health, and one tick that only observes; run by app.yml, signed in with the Azure CLI."""

import argparse
import json
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from infra.pipelines.steps import PipelineFailed, az, until

API_VERSION = "2024-11-01"
CLOCKS_DIFFER_BY = timedelta(seconds=60)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the smoke test; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resource-group", required=True)
    parser.add_argument("--app", required=True)
    parser.add_argument("--url", required=True, help="base address of the HTTP functions")
    parser.add_argument("--storage-account", required=True)
    parser.add_argument("--container", required=True)
    parser.add_argument("--timeout-s", type=float, default=600)
    parser.add_argument("--every-s", type=float, default=10)
    options = parser.parse_args(arguments)
    try:
        _healthy(options)
        _ticked(options)
    except PipelineFailed as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _healthy(options: argparse.Namespace) -> None:
    url = f"{options.url.rstrip('/')}/api/health"

    def answer() -> int | None:
        try:
            with urllib.request.urlopen(url, timeout=30) as reply:  # noqa: S310 - the deployment's own address
                return reply.status if reply.status == HTTPStatus.OK else None
        except (urllib.error.URLError, TimeoutError):
            return None

    until(answer, timeout_s=options.timeout_s, every_s=options.every_s, waiting_for=f"{url} to answer 200")
    print(f"healthy: {url}")


def _ticked(options: argparse.Namespace) -> None:
    """Start the timer function through Resource Manager, which needs no key, and wait for its decisions."""
    app_id = az("functionapp", "show", "--resource-group", options.resource_group, "--name", options.app)["id"]
    since = datetime.now(UTC) - CLOCKS_DIFFER_BY
    run = f"{app_id}/hostruntime/admin/functions/scale?api-version={API_VERSION}"
    az("rest", "--method", "post", "--url", run, "--body", '{"input": ""}')
    blobs = ("--account-name", options.storage_account, "--container-name", options.container, "--auth-mode", "login")

    def decided() -> list[dict[str, Any]] | None:
        blobs_there = az("storage", "blob", "list", *blobs, "--prefix", "decisions/")
        fresh = [blob["name"] for blob in blobs_there if _instant(blob["properties"]["lastModified"]) >= since]
        return [_last_line(blobs, name) for name in fresh] or None

    waiting_for = "a decision in the data container; is config/pools.json uploaded?"
    decisions = until(decided, timeout_s=options.timeout_s, every_s=options.every_s, waiting_for=waiting_for)
    for decision in decisions:
        change = f"{decision['current_nodes']} -> {decision['desired_nodes']} nodes"
        print(f"{decision['pool']}: {change} ({decision['mode']}; {', '.join(decision['reasons'])})")
    meddled = [decision["pool"] for decision in decisions if decision["mode"] != "act" and decision["applied"]]
    if meddled:
        msg = f"pools that are not in mode act were resized: {', '.join(meddled)}"
        raise PipelineFailed(msg)


def _last_line(blobs: Sequence[str], name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "decisions.jsonl"
        az("storage", "blob", "download", *blobs, "--name", name, "--file", str(file), "--no-progress")
        line: dict[str, Any] = json.loads(file.read_text().splitlines()[-1])
        return line


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


if __name__ == "__main__":
    sys.exit(main())
