"""The page of fields is what the types say now."""

from __future__ import annotations

from pathlib import Path

from ilmlip.spec.reference import fields, page
from ilmlip.spec.types import Spec

PAGE = Path(__file__).parents[2] / "docs" / "spec.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run: python -m ilmlip.spec.reference > docs/spec.md"
    )


def test_fields_reach_into_lists_and_mappings() -> None:
    paths = {path for path, _ in fields(Spec)}
    assert {
        "model.loss.force",
        "system.salts.N.molar_volume",
        "system.ions.N.charge",
        "sampling.equilibration.stages[].duration",
        "cluster.stages.N.cores",
    } <= paths
