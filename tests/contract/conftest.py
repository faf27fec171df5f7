from collections.abc import Iterator

import pytest

from tests.fakes.arm_harness import AksOnFake, aks_on_fake


@pytest.fixture
def aks() -> Iterator[AksOnFake]:
    with aks_on_fake() as running:
        yield running
