"""Values in another unit or off by a decimal point are found, and shipped ones are not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from ase.data import atomic_masses, chemical_symbols

from ilmlip import ranges
from ilmlip.chemistry.check import check, implausible
from ilmlip.chemistry.crystal import Crystal
from ilmlip.chemistry.elements import MASSES, MULTIPLICITIES, NUMBERS
from ilmlip.chemistry.ion import Ion, load_ion
from ilmlip.engines import xtb
from ilmlip.errors import SpecError, StageError
from ilmlip.lint import plausible
from ilmlip.lint.finding import Finding
from ilmlip.spec.load import load, load_study
from ilmlip.spec.shipped import options
from ilmlip.spec.types import Spec

EXPERIMENTS = sorted((Path(__file__).parents[2] / "experiments").glob("*.yaml"))
RULES = (
    plausible.values,
    plausible.steps,
    plausible.bonds_seen,
    plausible.ions,
    plausible.elements,
)


def found(spec: Spec) -> list[Finding]:
    return [finding for rule in RULES for finding in rule(spec)]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_shipped_experiments_are_usual(path: Path) -> None:
    study = load_study([str(path)])
    assert {finding for spec in study.specs for finding in found(spec)} == set()


@pytest.mark.parametrize(
    ("words", "code", "severity", "where"),
    [
        (["sampling.temperature=25"], "value-range", "warning", "sampling.temperature"),
        (["sampling=npt", "dataset=opls", "sampling.pressure=101325"], "value-range", "warning",
         "sampling.pressure"),
        (["sampling.timestep=0.001"], "value-range", "warning", "sampling.timestep"),
        (["sampling.timestep=2.0"], "timestep-bond", "warning", "sampling.timestep"),
        (["sampling.timestep=4.0"], "timestep-bond", "error", "sampling.timestep"),
        (["sampling.cutoff=1.0"], "value-range", "error", "sampling.cutoff"),
        (["sampling.thermostat_time=0.1"], "damping-time", "warning", "sampling.thermostat_time"),
        (["model.r_max=2.5"], "value-range", "warning", "model.r_max"),
        (["model.r_max=0.5"], "cutoff-bond", "error", "model.r_max"),
        (["model.learning_rate=0.5"], "value-range", "warning", "model.learning_rate"),
        (["ensemble=nvt", "ensemble.temperature=27"], "value-range", "warning", "ensemble.temperature"),
        (["ensemble=npt_temperatures", "ensemble.temperatures=[25,300]"], "value-range", "warning",
         "ensemble.temperatures.0"),
        (["dft=qe_pbe_d3", "dft.qe.ecutwfc=680", "dft.qe.ecutrho=6800"], "value-range", "warning",
         "dft.qe.ecutwfc"),
        (["dft=gpaw_pbe_d3", "dft.gpaw.cutoff=50"], "value-range", "warning", "dft.gpaw.cutoff"),
        (["system.salts.LiPF6.molar_volume=6.5"], "value-range", "error",
         "system.salts.LiPF6.molar_volume"),
    ],
)  # fmt: skip
def test_each_slip_is_found(words: list[str], code: str, severity: str, where: str) -> None:
    assert (code, severity, where) in {(f.code, f.severity, f.where) for f in found(load(words))}


def test_the_table_has_reasons_and_sources() -> None:
    table = yaml.safe_load(ranges.TABLE.read_text(encoding="utf-8"))
    for row in [*table["spec"], *table["ion"], *table["derived"].values()]:
        assert row["reason"] and row["source"], row
    for allowed in [*ranges.of_fields().values(), *ranges.of_ions().values()]:
        assert allowed.usual[0] < allowed.usual[1]
        if allowed.possible is not None:
            low, high = allowed.possible
            assert low <= allowed.usual[0] and allowed.usual[1] <= high


def changed(name: str, path: Path, **lj: tuple[float, float]) -> Ion:
    data = yaml.safe_load(options("ion")[name].read_text(encoding="utf-8"))
    data["lj"] |= {key: list(value) for key, value in lj.items()}
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return load_ion(path, draft=True)


@pytest.mark.parametrize("name", options("ion"))
def test_shipped_ions_are_usual(name: str) -> None:
    assert list(implausible(load_ion(options("ion")[name], draft=True))) == []


def test_a_study_s_ions_are_checked(tmp_path: Path) -> None:
    changed("pf6", tmp_path / "ion.yaml", F=(0.295, 0.25))
    spec = load([f"system.ions.PF6={tmp_path / 'ion.yaml'}"])
    said = [(f.code, f.severity, f.where) for f in plausible.ions(spec)]
    assert said == [("ion-range", "error", "system.ions.PF6.lj")]


@pytest.mark.parametrize(
    ("lj", "level", "text"),
    [
        ((0.295, 0.25), "wrong", "sigma of F is 0.295 Å; usual is 1 to 6 Å"),
        ((2.95, 25.0), "note", "epsilon of F is 25 kJ/mol; usual is 0 to 5"),
        ((0.295, 0.0), "ok", "usual ones"),  # without attraction σ means nothing
    ],
)
def test_lennard_jones_in_another_unit(
    tmp_path: Path, lj: tuple[float, float], level: str, text: str
) -> None:
    lines = [f for f in check(changed("pf6", tmp_path / "ion.yaml", F=lj)) if f.check == "ranges"]
    assert [(line.level, text in line.text) for line in lines] == [(level, True)]


def test_every_element_is_known() -> None:
    for number, symbol in enumerate(chemical_symbols[1:], start=1):
        assert NUMBERS[symbol] == number
        assert MASSES[symbol] == pytest.approx(atomic_masses[number], rel=1e-4)
    assert (MULTIPLICITIES["K"], MULTIPLICITIES["I"], MULTIPLICITIES["Ge"]) == (2, 2, 3)


def test_an_iodide_is_an_ion(tmp_path: Path) -> None:
    path = tmp_path / "iodide.yaml"
    path.write_text(
        "name: iodide\ncharge: -1\nsource: test\natoms: [[I, I, I, -1.0, 0, 0, 0]]\n"
        "lj: {I: [4.8, 0.29]}\n",
        encoding="utf-8",
    )
    assert load_ion(path).mass() == pytest.approx(126.90, abs=0.01)


def test_a_crystal_says_what_is_wrong_of_an_element() -> None:
    crystal = load(["system=lpscl", "compositions=table_s9", "dft=gfn1_xtb"]).system.crystal
    assert crystal is not None
    data = crystal.model_dump()
    data["sites"][0]["elements"] = ["Ge"]
    with pytest.raises(SpecError, match=r"Ge has no charge; add it to system\.crystal\.charges"):
        Crystal.model_validate(data)
    Crystal.model_validate({**data, "charges": {**data["charges"], "Ge": 4}})
    data["sites"][0]["elements"] = ["Xx"]
    with pytest.raises(SpecError, match="Xx is no element"):
        Crystal.model_validate(data)


def test_an_engine_says_where_its_elements_end(tmp_path: Path) -> None:
    from ase import Atoms

    with pytest.raises(StageError, match="GFN1-xTB has no U; it knows elements up to Rn"):
        xtb.label(Atoms("UF6", positions=[[i, 0, 0] for i in range(7)], cell=[9] * 3), 1, 300)
    shutil.copy(options("ion")["li"], tmp_path / "li.yaml")
    text = (tmp_path / "li.yaml").read_text(encoding="utf-8").replace(", Li, Li,", ", Fr, Li,")
    (tmp_path / "li.yaml").write_text(text, encoding="utf-8")
    spec = load([f"system.ions.Li={tmp_path / 'li.yaml'}", "dft=gfn1_xtb"])
    assert [(f.code, f.where) for f in plausible.elements(spec)] == [
        ("element-missing", "dft.engine")
    ]
