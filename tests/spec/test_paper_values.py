"""What the paper states, against what the options that are named after it compose to.

Goodwin et al., "Transferability and Accuracy of Ionic Liquid Simulations with Equivariant Machine
Learning Interatomic Potentials", arXiv:2403.01980 (2024); M: Methods, SI: Supporting Information.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ilmlip.errors import SpecError
from ilmlip.spec.load import load, load_study
from ilmlip.spec.types import Spec

CLASSICAL = "M, classical MD"
STATED: dict[str, list[tuple[str, Any, str]]] = {
    "figure_1": [
        ("sampling.timestep", 1.0, CLASSICAL), ("sampling.thermostat_time", 100, CLASSICAL),
        ("sampling.barostat_time", 1000, CLASSICAL), ("sampling.duration", 80e6, CLASSICAL),
        ("sampling.temperature", 300, CLASSICAL), ("sampling.interval", 20e3, CLASSICAL),
        ("sampling.density", "equilibrated", "M: evolved in NVT from the structures of SI 2"),
        ("sampling.equilibration.time_scale", 1.0, "SI Table S1"),
        ("system.charge_scale", 0.8, CLASSICAL), ("compositions.pairs", 20, CLASSICAL),
        ("dataset.frames", 650, "M, NequIP: 600 + 50"),
        ("dataset.test", "independent", "M: two initial structures for each composition"),
        ("model.r_max", 9, "M, NequIP"), ("model.l_max", 1, "M, NequIP"),
        ("model.n_features", (16, 8), "M, NequIP: 16x0o+16x0e+8x1o+8x1e"),
        ("model.parity", True, "M, NequIP"), ("model.n_layers", 5, "M, NequIP"),
        ("model.learning_rate", 0.05, "M, NequIP"), ("model.batch_size", 5, "M, NequIP"),
        ("model.shifts", "mean", "SI 3: without single atoms, the mean energy per atom"),
        ("model.refit_shifts", False, "SI 3"),
    ],
    "table_s2_s3": [
        ("model.r_max", 6, "M, Allegro"), ("model.l_max", 2, "M, Allegro"),
        ("model.n_layers", 2, "M, Allegro"), ("model.learning_rate", 5e-4, "M, Allegro"),
        ("model.batch_size", 1, "M, Allegro"),
        ("dataset.validation_fraction", 0.2, "M, Allegro: 80-20 split"),
        ("model.shifts", "mean", "SI 3"), ("model.refit_shifts", False, "SI 3"),
    ],
    "table_s6_s7": [
        ("dataset.frames", 50, "M, DFT"), ("dataset.validation_fraction", 0.2, "M, Allegro"),
        ("dft.qe.ecutwfc", 50, "M, DFT"), ("dft.qe.ecutrho", 500, "M, DFT"),
        ("dft.qe.conv_thr", 1e-10, "M, DFT"), ("dft.qe.kpoints", (1, 1, 1), "M, DFT"),
        ("dft.e0", "isolated", "M, Allegro: essential to employ single atom energies"),
        ("dft.atom_box", 30, "M, DFT"), ("model.shifts", "isolated", "M, Allegro"),
        ("model.r_max", 6, "M, Allegro"), ("model.learning_rate", 5e-4, "M, Allegro"),
        ("sampling.density", "equilibrated", "M"),
    ],
    "table_s9_s10": [
        ("dft.vasp.encut", 700, "SI 3"), ("dft.vasp.ediff", 1e-5, "SI 3"),
        ("dft.vasp.kpoints", (4, 4, 4), "SI 3"), ("dft.dispersion", "none", "SI 3: PBE"),
        ("dataset.active.run.kind", "nvt", "SI 3"), ("dataset.active.run.temperature", 300, "SI 3"),
        ("dataset.active.run.timestep", 1, "SI 3"),
    ],
    "table_s12": [
        ("sampling.ensemble", "npt", CLASSICAL), ("sampling.pressure", 1.01325, CLASSICAL),
        ("sampling.temperatures", (300, 450, 600), CLASSICAL),
        ("sampling.settle", 1e6, "M: equilibrate for 1 ns at every new temperature"),
        ("sampling.duration", 6e6, CLASSICAL), ("sampling.interval", 20e3, CLASSICAL),
        ("compositions.pairs", 10, CLASSICAL), ("system.charge_scale", 0.7, CLASSICAL),
        ("dataset.frames", 60, "M, DFT"), ("dataset.validation_fraction", 0.2, "M, Allegro"),
        ("model.n_layers", 2, "SI Table S12"), ("model.batch_size", 4, "M, Allegro 722"),
        ("model.learning_rate", 1e-3, "M, Allegro 722"),
        ("ensemble.timestep", 0.5, "M, models"), ("ensemble.duration", 100e3, "SI 5"),
        ("ensemble.thermostat_time", 50, "M, models: 100 time steps"),
        ("ensemble.barostat_time", 500, "M, models: 1000 time steps"),
        ("ensemble.temperature", 300, "SI 5"),
    ],
    "table_s15": [
        ("ensemble.temperatures", (300, 325, 350), "SI 5"), ("ensemble.duration", 1e6, "SI 5"),
        ("ensemble.supercell", (2, 2, 2), "SI 5"), ("ensemble.pressure", 1, "M, results"),
    ],
}  # fmt: skip
"""By experiment: field, value, and where the paper says so."""


@cache
def spec(name: str) -> Spec:
    return load_study([name]).specs[0]


@pytest.mark.parametrize(
    ("name", "path", "value", "where"),
    [(name, *row) for name, rows in STATED.items() for row in rows],
)
def test_the_paper_s_values(name: str, path: str, value: Any, where: str) -> None:
    found: Any = spec(name)
    for step in path.split("."):
        found = getattr(found, step)
    assert found == value, f"the paper, {where}"


def test_nequip_holds_out_fifty_of_650() -> None:
    dataset = spec("figure_1").dataset
    assert round(dataset.frames * dataset.validation_fraction) == 50


def test_our_own_recipes_keep_our_reference_energies() -> None:
    for option in ("nequip_laptop", "allegro_laptop", "allegro_722"):
        model = load([f"model={option}"]).model
        assert (model.shifts, model.refit_shifts) == ("least_squares", True)
    assert load(["quickstart"]).sampling.density == "molar"


def test_single_atoms_must_be_computed_or_replaced() -> None:
    with pytest.raises(SpecError, match=r"set dft\.e0=isolated"):
        load(["model=allegro_dft", "dft=gfn1_xtb"])
    other = load(["model=allegro_dft", "dft=gfn1_xtb", "dft.e0=regression"])
    assert other.model.training(1, other.dft.e0).shifts == "least_squares"


def test_no_header_says_ten_runs() -> None:
    for path in (Path(__file__).parents[2] / "conf" / "ensemble").glob("*.yaml"):
        assert "ten runs" not in path.read_text(encoding="utf-8")
