"""What the pipelines' scripts share: the Azure CLI, signed in by the pipeline, and polite waiting."""

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class PipelineFailed(Exception):
    """The step failed; the message is for whoever reads the pipeline's log."""


def az(*arguments: str) -> Any:  # noqa: ANN401 - whatever JSON the CLI prints
    """Run the Azure CLI and return what it prints, parsed; its own message is the error."""
    done = subprocess.run(  # noqa: S603 - arguments are passed as they are, no shell reads them
        ["az", *arguments, "--output", "json"],  # noqa: S607 - the agent's own az
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        msg = f"az {' '.join(arguments[:3])} … failed: {done.stderr.strip()}"
        raise PipelineFailed(msg)
    return json.loads(done.stdout) if done.stdout.strip() else None


def until(attempt: Callable[[], T | None], *, timeout_s: float, every_s: float, waiting_for: str) -> T:
    """Return the first answer of ``attempt`` that is not None; raises :class:`PipelineFailed` after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = attempt()
        if answer is not None:
            return answer
        if time.monotonic() >= deadline:
            msg = f"waited {timeout_s:.0f} s for {waiting_for}"
            raise PipelineFailed(msg)
        time.sleep(every_s)
