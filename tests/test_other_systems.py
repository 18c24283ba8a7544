"""Studies of other liquids than the shipped one: nothing of EMIM, Li and PF6 in what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ilmlip.export.readme import _compositions
from ilmlip.lint.run import lint
from ilmlip.plan.compile import plan_of
from ilmlip.share.freeze import freeze
from ilmlip.spec.load import load_study
from ilmlip.spec.study import Study
from ilmlip.store import Store

SODIUM = """\
name: NA
charge: 1
source: Åqvist, J. Phys. Chem. 94, 8021 (1990), as in GROMACS' OPLS-AA (opls_407)
atoms:
  - [Na, Na, Na, 1.0, 0.0, 0.0, 0.0]
lj:
  Na: [3.33045, 0.011598]
"""
SPEC = """\
name: sodium
description: Na[BF4] in [BMIM][BF4]
defaults: [config, _self_, scale: smoke]
system:
  name: na_bf4_bmim_bf4
  ions: {BMIM: bmim, "NA": sodium.yaml, BF4: bf4}
  salts:
    BMIMBF4:
      ions: {BMIM: 1, BF4: 1}
      molar_volume: 188
      molar_volume_source: about 1.20 g/cm³
    NABF4:
      ions: {"NA": 1, BF4: 1}
      molar_volume: 44.4
      molar_volume_source: the crystal, 2.47 g/cm³
  charge_scale: 0.8
  charge_scale_source: as for the shipped systems
compositions:
  salts: [BMIMBF4, NABF4]
  pairs: 4
  fractions: [0.0, 0.5, 1.0]
  training: [[0.5], [0.0, 0.5]]
"""


MIXED = """\
name: mixed
defaults: [config, _self_, scale: smoke]
system:
  ions: {"NA": sodium.yaml}
  salts:
    NAPF6: {ions: {"NA": 1, PF6: 1}, molar_volume: 70, molar_volume_source: a guess}
compositions:
  salts: [EMIMPF6, NAPF6]
  pairs: 10
"""


@pytest.fixture(scope="module")
def sodium(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("sodium")
    (folder / "sodium.yaml").write_text(SODIUM, encoding="utf-8")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    return load_study([str(folder / "spec.yaml")])


def test_figures_name_the_salt_of_the_study(sodium: Study) -> None:
    (matrix,) = [task for task in plan_of(sodium) if task.stage == "matrix"]
    assert matrix.params.model_dump()["salt"] == "NABF4"
    assert _compositions(sodium.spec) == "Mole fractions are those of NABF4 in BMIMBF4."


def test_lint_names_species_of_the_study(sodium: Study) -> None:
    found = lint(sodium, plan_of(sodium), Store(Path("no-store")))
    (span,) = [one.message for one in found if one.code == "energy-span"]
    assert "energies at x = 0.0, 1.0" in span and "difference BMIM − NA" in span
    assert not any(name in one.message for one in found for name in ("EMIM", "LiPF6", "PF6"))


def test_the_frozen_spec_holds_the_ions_of_the_study_alone(sodium: Study) -> None:
    text = freeze(sodium, plan_of(sodium), Store(Path("no-store")))
    assert not re.search(r"\bEMIM|\bLi\b|LiPF6|PF6", text)
    assert set(sodium.spec.system.ions) == {"BMIM", "NA", "BF4"}
    (forcefield,) = [task for task in plan_of(sodium) if task.stage == "forcefield"]
    assert set(forcefield.params.model_dump()["ions"]) == {"BMIM", "NA", "BF4"}


def test_what_the_study_uses_of_an_option_stays(sodium: Study, tmp_path: Path) -> None:
    """Na[PF6] in [EMIM][PF6]: the second salt, and one ion of the first, are the shipped ones."""
    (tmp_path / "sodium.yaml").write_text(SODIUM, encoding="utf-8")
    (tmp_path / "spec.yaml").write_text(MIXED, encoding="utf-8")
    system = load_study([str(tmp_path / "spec.yaml")]).spec.system
    assert set(system.ions) == {"EMIM", "PF6", "NA"} and set(system.salts) == {"EMIMPF6", "NAPF6"}
    assert system.salts["EMIMPF6"].measured and system.charge_scale == 0.8
    shipped = load_study(["compositions=emim_pf6"]).spec.system
    assert set(shipped.ions) == {"EMIM", "Li", "PF6"}, "an option is never cut"


def test_compositions_with_names_are_not_called_x() -> None:
    words = ["system=four_ions", "compositions=four_ions", "scale=smoke"]
    study = load_study([*words, "compositions.training=[[BMIMPF6]]"])
    assert study.spec.compositions.second_salt == "EMIMNTf2"
    (span,) = [
        one.message
        for one in lint(study, plan_of(study), Store(Path("no-store")))
        if one.code == "energy-span"
    ]
    assert "energies at 0.5, 1.0" not in span and "energies at x = 0.5, 1.0" in span
    named = load_study([*words, "compositions.fractions=[BMIMPF6,EMIMNTf2]"])
    found = lint(named, plan_of(named), Store(Path("no-store")))
    assert not any("x = " in one.message for one in found)
