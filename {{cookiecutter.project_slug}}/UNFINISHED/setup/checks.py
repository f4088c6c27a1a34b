"""The checks, which run side by side."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from setup.steps import TICK_SECONDS, Step


def run_checks(checks: Sequence[Step]) -> None:
    """Run checks side by side."""
    with ThreadPoolExecutor(max_workers=2) as executor:
        running = [executor.submit(check.execute) for check in checks]
        while wait(running, timeout=TICK_SECONDS).not_done:
            pass  # Windows handles signals between the waits
