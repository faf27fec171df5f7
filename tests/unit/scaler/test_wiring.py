"""The wiring builds on first use."""

import subprocess
import sys

HEAVY = "import sys, scaler.wiring; print([name for name in sys.modules if name.startswith('azure.mgmt')])"


def test_the_wiring_loads_no_management_package_until_it_builds() -> None:
    done = subprocess.run([sys.executable, "-c", HEAVY], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
