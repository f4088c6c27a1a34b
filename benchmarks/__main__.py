"""Measure, and write RESULTS.md: `make bench`, or `make bench args="--quick"` for a glance that writes nothing."""

import argparse
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import generator, image, served
from benchmarks.interpreter import version
from conftest import run

RESULTS = Path(__file__).with_name("RESULTS.md")

PARTS: dict[str, Callable[..., str]] = {"served": served.run, "generator": generator.run, "image": image.run}
"""Each measures one thing and gives its section, which begins with a heading of the second level."""

INTRODUCTION = """\
# What was measured

Made by `make bench`, never by hand. Absolute figures don't travel; ratios within one run do.
"""


def main() -> None:
    """Run all parts, or those that are named; a section replaces the one of before."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part; everything by default")
    parser.add_argument("--quick", action="store_true", help="measure once, briefly, and only print")
    arguments = parser.parse_args()
    commit = run(("git", "describe", "--always", "--dirty"), cwd=RESULTS.parent).stdout.strip()
    for name in arguments.only or PARTS:
        began, load = datetime.now(UTC), os.getloadavg()[0]
        text = PARTS[name](quick=arguments.quick)
        machine = f"{version()}, {os.cpu_count()} cores, {began:%d %B %Y}"
        text = f"{text}\nMeasured at {commit} with {machine}; load before the start {load:.1f}.\n"
        if arguments.quick:
            print(text)
        else:
            write(text)


def write(section: str) -> None:
    """Put a section into the results, in the place of an older one with the same heading."""
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else INTRODUCTION
    introduction, *sections = re.split(r"^(?=## )", old, flags=re.MULTILINE)
    by_heading = {text.partition("\n")[0]: text.strip() for text in (*sections, section)}
    RESULTS.write_text("\n\n".join([introduction.strip(), *by_heading.values()]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
