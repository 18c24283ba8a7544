"""The tail correction of Lennard-Jones: against the integral, and against OpenMM's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from liquid import CUTOFF, Liquid
from lj_tail import BAR, mean_field
from openmm_reference import Reference

from ilmlip.engines import lammps
from ilmlip.spec.shipped import shipped

pytestmark = pytest.mark.engine


def test_tail_takes_the_place_of_the_shift(liquid: Liquid) -> None:
    """LAMMPS does one or the other."""

    def modify(tail: bool) -> list[str]:
        lines = lammps.head(liquid.box, lammps.Interactions(CUTOFF, 1e-4, tail))
        return [line for line in lines if line.startswith("pair_modify")]

    assert modify(False) == ["pair_modify mix geometric shift yes"]
    assert modify(True) == ["pair_modify mix geometric tail yes"]


def labelled(liquid: Liquid, work: Path, tail: bool) -> lammps.Labelled:
    atoms, how = liquid.atoms, lammps.Interactions(CUTOFF, 1e-6, tail)
    work.mkdir()
    data = lammps.data_file(liquid.box, atoms.positions, atoms.cell.lengths())
    (work / lammps.DATA).write_text(data, encoding="utf-8")
    (work / lammps.INPUT).write_text(lammps.label_input(liquid.box, how), encoding="utf-8")
    lammps.run(work)
    return lammps.read_label(work)


@pytest.fixture(scope="module")
def both(
    liquid: Liquid, tmp_path_factory: pytest.TempPathFactory
) -> tuple[lammps.Labelled, lammps.Labelled]:
    """With the shift, and with the tail."""
    work = Path(tmp_path_factory.mktemp("tail"))
    return labelled(liquid, work / "shift", False), labelled(liquid, work / "tail", True)


def test_pressure_is_the_integral(
    liquid: Liquid, both: tuple[lammps.Labelled, lammps.Labelled]
) -> None:
    """A shift changes no force, so that the two stresses differ by the correction alone."""
    shifted, corrected = both
    _, pressure = mean_field(liquid.box, liquid.atoms.get_volume(), CUTOFF)
    assert pressure < -300  # bar, at 8 Å
    found = -BAR * (corrected.stress - shifted.stress)
    np.testing.assert_allclose(found[:3], pressure, rtol=1e-4)
    np.testing.assert_allclose(found[3:], 0.0, atol=1e-4)
    np.testing.assert_allclose(corrected.forces, shifted.forces, atol=1e-9)


def test_energy_is_the_integral_and_the_end_of_the_shift(
    liquid: Liquid, both: tuple[lammps.Labelled, lammps.Labelled]
) -> None:
    """The two energies differ by the correction, and by U(cutoff) of each pair within it.

    Of 1–4 pairs half, of nearer ones nothing; all are counted here from the box's bonds.
    """
    shifted, corrected = both
    tail, _ = mean_field(liquid.box, liquid.atoms.get_volume(), CUTOFF)
    expected = tail + at_cutoff(liquid)
    assert abs(tail) > 0.5  # eV
    assert corrected.energy - shifted.energy == pytest.approx(expected, abs=2e-4 * abs(tail))


def at_cutoff(liquid: Liquid) -> float:
    """Σ w U(cutoff) over the pairs within the cutoff, w their factor by bonds between them; eV."""
    atoms, box = liquid.atoms, liquid.box
    factor = np.ones((len(atoms), len(atoms)))
    near = np.zeros_like(factor, dtype=bool)
    for i, j, *_ in box.bonds:
        near[int(i), int(j)] = near[int(j), int(i)] = True
    one, two = near, near @ near
    three = two @ near
    factor[three] = 0.5
    factor[one | two] = 0.0
    fractional = atoms.positions / atoms.cell.lengths()
    apart = fractional[:, None] - fractional
    apart -= np.round(apart)
    within = np.linalg.norm(apart * atoms.cell.lengths(), axis=-1) < CUTOFF
    sigma, epsilon = np.array(box.sigmas), np.array(box.epsilons)
    six = (np.sqrt(np.outer(sigma, sigma)) / CUTOFF) ** 6
    energy = 4 * np.sqrt(np.outer(epsilon, epsilon)) * (six**2 - six)
    return float(np.triu(factor * within * energy, 1).sum())


def test_lennard_jones_agrees_with_openmms_dispersion_correction(
    liquid: Liquid, both: tuple[lammps.Labelled, lammps.Labelled]
) -> None:
    """OpenMM integrates numerically and counts pairs by kinds in its own way: 0.07 % here."""
    files = {"EMIM": "emim", "Li": "li", "PF6": "pf6"}
    paths = {name: shipped("conf") / "ion" / f"{file}.yaml" for name, file in files.items()}
    scale = liquid.system.charge_scale
    positions, cell = liquid.atoms.positions, liquid.atoms.cell.array
    found = {}
    for tail in (False, True):
        reference = Reference(paths, liquid.box.names, scale, CUTOFF, tail=tail)
        found[tail] = reference.terms(positions, cell)["lj"]
    shifted, corrected = both
    theirs = found[True] - found[False]
    ours = corrected.terms["lj"] - shifted.terms["lj"]
    assert ours == pytest.approx(theirs, rel=2e-3)
    assert corrected.terms["lj"] == pytest.approx(found[True], rel=1e-3)
