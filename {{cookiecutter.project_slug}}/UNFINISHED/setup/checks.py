"""Steps of finishing a project, and the checks among them, which run side by side."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from setup.commands import TICK_SECONDS, Runner, StepError, classify_failure

HEARTBEAT_SECONDS = 15.0


@dataclass
class Step:
    """An action whose failure must not lose the project; its result begins with `ok`, `skipped` or `failed`."""

    name: str
    action: Callable[[Runner], str | None]
    repeat: tuple[str, ...] = ()
    result: str = ""

    def run(self, runner: Runner) -> None:
        """Run the action, and set the result."""
        started = time.monotonic()
        try:
            self.result = self.action(runner) or f"ok ({time.monotonic() - started:.1f} s)"
        except StepError as error:
            self.result = str(error)
        except Exception as error:  # noqa: BLE001 - any error is reported, and the project stays
            self.result = str(classify_failure(f"{type(error).__name__}: {error}", str(error)))


def run_checks(checks: Sequence[Step], runners: Sequence[Runner]) -> None:
    """Run checks side by side, and report every quarter of a minute what they do."""
    with ThreadPoolExecutor(max_workers=2) as executor:
        running = {executor.submit(check.run, runner): runner for check, runner in zip(checks, runners, strict=True)}
        heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        while wait(running, timeout=TICK_SECONDS).not_done:  # a short time, in which Windows handles no signal
            if time.monotonic() >= heartbeat:
                heartbeat += HEARTBEAT_SECONDS
                for runner in (runner for future, runner in running.items() if not future.done()):
                    runner.report(f"still {runner.doing} ...")
