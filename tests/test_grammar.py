"""Words that go with numbers, and messages that use them."""

from __future__ import annotations

import doctest

import pytest

from ilmlip import grammar
from ilmlip.errors import SpecError
from ilmlip.spec.load import load


def test_the_examples_hold() -> None:
    assert doctest.testmod(grammar).failed == 0


@pytest.mark.parametrize(
    ("every", "words"),
    [(1, "every kept frame,"), (2, "every 2nd kept frame,"), (3, "every 3rd"), (11, "every 11th")],
)
def test_messages_use_ordinals(every: int, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        load(["quickstart", f"dataset.every={every}", "dataset.frames=900"])
