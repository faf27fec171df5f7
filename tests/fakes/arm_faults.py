"""What may go wrong between us and Resource Manager: scripted for one test, or drawn for a soak."""

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    THROTTLED = "429"
    BUSY = "409 in progress"
    OVER_QUOTA = "409 quota"
    PREEMPTED = "409 preempted"
    ETAG = "412"
    UNAVAILABLE = "503"
    PROXY_PAGE = "502 with HTML"
    RESET = "reset before the answer"
    RESET_IN_BODY = "reset in the body"
    SLOW = "slow"
    MALFORMED = "malformed JSON"
    EXPIRED_TOKEN = "401"
    OPERATION_FAILS = "the accepted operation fails"
    CHANGED_BY_OTHERS = "somebody changes the pool just before"


READ_FAULTS = (
    Fault.THROTTLED,
    Fault.UNAVAILABLE,
    Fault.PROXY_PAGE,
    Fault.RESET,
    Fault.RESET_IN_BODY,
    Fault.MALFORMED,
    Fault.EXPIRED_TOKEN,
)
WRITE_FAULTS = (
    Fault.RESET,
    Fault.THROTTLED,
    Fault.BUSY,
    Fault.OVER_QUOTA,
    Fault.PREEMPTED,
    Fault.ETAG,
    Fault.OPERATION_FAILS,
    Fault.CHANGED_BY_OTHERS,
)


@dataclass(slots=True)
class FaultPlan:
    """Which request meets which fault: first what a test has scripted, then chance, each kind in its turn."""

    rate: float = 0.0
    random: Random = field(default_factory=lambda: Random(4))  # noqa: S311 - a soak must repeat
    scripted: dict[str, deque[Fault]] = field(default_factory=dict)
    met: Counter[Fault] = field(default_factory=Counter)
    drawn: Counter[str] = field(default_factory=Counter)

    def script(self, method: str, *faults: Fault) -> None:
        """Let the next requests of that method meet these faults, in order."""
        self.scripted.setdefault(method, deque()).extend(faults)

    def draw(self, method: str) -> Fault | None:
        """Return the fault that this request meets."""
        waiting = self.scripted.get(method)
        if waiting:
            return self._met(waiting.popleft())
        if self.random.random() >= self.rate:
            return None
        kinds = READ_FAULTS if method == "GET" else WRITE_FAULTS
        self.drawn[method] += 1
        return self._met(kinds[self.drawn[method] % len(kinds)])

    def _met(self, fault: Fault) -> Fault:
        self.met[fault] += 1
        return fault
