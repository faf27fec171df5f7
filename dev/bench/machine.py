"""Where and with what the benchmark ran: facts for the results, without paths or names of the machine."""

import hashlib
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from dev.bench.cache import code_of, versions
from dev.bench.methods import FORESCALE, METHODS
from dev.bench.trace import Trace

PACKAGES = ("numpy", "scipy", "scikit-learn", "pandas", "coreforecast")
SHOWN_DIGITS = 12
CPU_FACTS = Path("/proc/cpuinfo")


def facts(traces: Sequence[Trace], *, root: Path, processes: int) -> dict[str, str]:
    """Return what a reader needs to reproduce the run, by name."""
    peers = dict.fromkeys(package for method in METHODS for package in method.packages)
    installed = versions((*peers, *(package for package in PACKAGES if package not in peers)))
    forescale = next(method for method in METHODS if method.key == FORESCALE)
    data = hashlib.sha256("".join(sorted(trace.digest for trace in traces)).encode()).hexdigest()
    return {
        "finished": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "processes at a time": f"{processes}, one thread each",
        "load at the end": f"{os.getloadavg()[0]:.1f} (other work on the machine lengthens the minutes)",
        "packages": ", ".join(f"{name} {version}" for name, version in sorted(installed.items())),
        "Forescale's code": f"`{code_of(forescale, root)[:SHOWN_DIGITS]}` (SHA-256 of its sources and packages)",
        "series": f"{len(traces)}, `{data[:SHOWN_DIGITS]}` (SHA-256 of their digests)",
    }


def _cpu() -> str:
    """Return the processor's name where the system tells it."""
    try:
        lines = CPU_FACTS.read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
