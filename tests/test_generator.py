"""The benchmark of the generator, as quickly as it goes."""

import re
import sys

import pytest

from conftest import ROOT, run


@pytest.mark.slow
def test_the_generator_is_measured_from_the_answers_to_the_first_200() -> None:
    done = run((sys.executable, "-m", "benchmarks.generator", "--quick"), cwd=ROOT, env={"PYTHONPATH": "tests"})
    assert done.returncode == 0, done.stderr
    for figure in (
        r"\| this one \| \d+ ms \| \d+ ms \| \d\.\d\d \| \d\.\d\d \|",
        r"\| this one, `api.main` imported as well \| \d+ \| \d+\.\d\d s \| \d+\.\d\d s \|",
        r"\| from the answers to the first 200, by what `make run` runs \| ≤ 5 s \| \d+\.\d\d s",
    ):
        assert re.search(figure, done.stdout), done.stdout
