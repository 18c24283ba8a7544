"""Settings that belong to one choice (an engine, an architecture) and mean nothing to the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ilmlip.errors import SpecError
from ilmlip.record import Record


def check_own(
    record: Record, section: str, chooser: str, table: Mapping[str, Sequence[str]]
) -> None:
    """Refuse a setting of another choice, and a missing one of the choice that was made.

    `table` holds, by choice, the names of its settings; `chooser` is the field that chooses. Raises
    SpecError, naming `section.field`.
    """
    chosen = getattr(record, chooser)
    for choice, names in table.items():
        for name in names:
            value = getattr(record, name)
            if choice == chosen and value is None:
                raise SpecError(f"{section}.{name}", f"is missing; {choice} needs it")
            if choice != chosen and value is not None:
                raise SpecError(
                    f"{section}.{name}",
                    f"is a setting of {choice}, and the {chooser} is {chosen}; leave it out, or set "
                    f"{section}.{chooser}",
                )
