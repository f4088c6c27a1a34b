"""The checks, which run side by side."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from setup.steps import TICK_SECONDS, Step

HEARTBEAT_SECONDS = 15.0


def run_checks(checks: Sequence[Step]) -> None:
    """Run checks side by side, and report every quarter of a minute what they do."""
    with ThreadPoolExecutor(max_workers=2) as executor:
        running = {executor.submit(check.execute): check for check in checks}
        heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        while wait(running, timeout=TICK_SECONDS).not_done:  # a short time, in which Windows handles no signal
            if time.monotonic() >= heartbeat:
                heartbeat += HEARTBEAT_SECONDS
                for check in (check for future, check in running.items() if not future.done()):
                    check.report(f"still {check.doing} ...")
