"""The simplest shapes of values on the wire; lines of text are tested as names of things."""

import pytest
from pydantic import TypeAdapter, ValidationError

from api.schemas.base import Integer, Text

texts = TypeAdapter(Text)
integers = TypeAdapter(Integer)


@pytest.mark.parametrize("text", ["a", " a ", "two\nlines", "a\ttab", "\n", "x" * 10_000, "🍞"])
def test_a_text_is_read_as_it_stands(text: str) -> None:
    assert texts.validate_python(text) == text


@pytest.mark.parametrize("given", ["", "nul\0", "bell\a", "two\rlines", "del\x7f", "\ud800", "x" * 10_001, 7, None])
def test_what_is_no_text_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        texts.validate_python(given)


@pytest.mark.parametrize(("given", "read"), [(0, 0), (-(2**31), -(2**31)), (2**31 - 1, 2**31 - 1), (7.0, 7)])
def test_a_whole_number_is_read(given: object, read: int) -> None:
    assert integers.validate_python(given) == read


@pytest.mark.parametrize("given", ["1", "", True, False, 1.5, 2**31, -(2**31) - 1, 1e300, float("nan"), None, [1]])
def test_what_is_no_whole_number_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        integers.validate_python(given)
