"""Numbers with their words, for messages."""

from __future__ import annotations

IRREGULAR = {
    "is": "are", "has": "have", "was": "were", "does": "do", "agrees": "agree", "differs": "differ",
    "study": "studies", "try": "tries",
}  # fmt: skip
"""Plural nouns that take more than an s, and the plural of verbs."""


def plural(number: float, word: str) -> str:
    """The word alone, in the form that goes with a number: "task" of 1, "tasks" of 0 and of 2."""
    return word if number == 1 else IRREGULAR.get(word, f"{word}s")


def counted(number: int, word: str, verb: str = "") -> str:
    """A number with its word, and with a verb if one is given.

    >>> counted(1, "task"), counted(1503, "task"), counted(1, "result", "is"), counted(0, "run")
    ('1 task', '1503 tasks', '1 result is', '0 runs')
    """
    text = f"{number} {plural(number, word)}"
    return f"{text} {plural(number, verb)}" if verb else text


def ordinal(number: int) -> str:
    """An ordinal in digits.

    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '102nd', '111th']
    """
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ends.get(number % 10, 'th')}"


def every(number: int, word: str) -> str:
    """Which of a series are taken.

    >>> every(1, "kept frame"), every(2, "kept frame")
    ('every kept frame', 'every 2nd kept frame')
    """
    return f"every {word}" if number == 1 else f"every {ordinal(number)} {word}"


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(0), duration(0.05), duration(99.7), duration(200), duration(56_000), duration(7e5)
    ('0 s', '0.05 s', '100 s', '3.3 min', '16 h', '8.1 d')
    """
    for limit, size, unit in ((100, 1, "s"), (6000, 60, "min"), (360_000, 3600, "h")):
        if seconds < limit:
            return f"{digits(seconds / size)} {unit}"
    return f"{digits(seconds / 86400)} d"


def digits(number: float) -> str:
    """A number of at least two digits and no exponent above them.

    >>> digits(0.0104), digits(3.14), digits(15.2), digits(8603.2), digits(0)
    ('0.01', '3.1', '15', '8,603', '0')
    """
    return f"{number:.2g}" if number < 9.95 else f"{number:,.0f}"
