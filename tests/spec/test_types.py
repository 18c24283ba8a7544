"""The types of the spec agree with what they describe elsewhere."""

from __future__ import annotations

import typing

from ilmlip import stages
from ilmlip.record import Record
from ilmlip.spec.cluster import StageName
from ilmlip.spec.types import Spec


def test_stage_names_are_those_of_the_registry() -> None:
    assert (*typing.get_args(StageName), "probe") == stages.NAMES


def records(annotation: object) -> set[type[Record]]:
    found: set[type[Record]] = set()
    if isinstance(annotation, type) and issubclass(annotation, Record):
        found.add(annotation)
        for info in annotation.model_fields.values():
            found |= records(info.annotation)
    for inner in typing.get_args(annotation):
        found |= records(inner)
    return found


def test_every_field_of_the_spec_says_what_it_is() -> None:
    found = records(Spec)
    assert len(found) > 12
    for record in found:
        assert record.__doc__
        for name, info in record.model_fields.items():
            assert info.description, f"{record.__name__}.{name}"
            assert isinstance(info.json_schema_extra, dict)
            assert "unit" in info.json_schema_extra
