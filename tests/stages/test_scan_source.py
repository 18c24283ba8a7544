"""What a volume scan starts from: the force field's frames strain the ions of every other engine."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from classical import Classical, give

from ilmlip.chemistry.boxes import read
from ilmlip.errors import StageError
from ilmlip.spec import dft
from ilmlip.spec.derived import Relax, VolumeScan
from ilmlip.stages import series
from ilmlip.stages.base import Given, Inputs

XTB = dft.Xtb(scf_accuracy=0.1, electronic_temperature=300.0)
SCAN = VolumeScan(relative=(0.52, 1.0), points=2).absolute(1.5)  # the box's own density


def pressures(made: Given) -> list[float]:
    """kbar, from the lowest density on."""
    with (made.path / "series.csv").open(encoding="utf-8") as lines:
        return [float(row["pressure_bar"]) / 1000 for row in csv.DictReader(lines)]


@pytest.fixture(scope="module")
def relaxed(classical: Classical, tmp_path_factory: pytest.TempPathFactory) -> Given:
    """Two steps of relaxation from the last sampled frame, as dataset=rel2 takes them."""
    params = series.Params(frame=19, xtb=XTB, relax=Relax(steps=2))
    folder = Path(tmp_path_factory.mktemp("relaxed")) / "relax"
    return give(series.STAGE, params, folder, trajectory=classical.sample)


def test_strain_inside_ions_is_most_of_the_pressure_of_scanned_force_field_frames(
    classical: Classical, relaxed: Given, tmp_path: Path
) -> None:
    """At half the density ions hardly touch: what pressure is left there is strain inside them.

    GFN1-xTB, one pair of [EMIM][PF6] (26 atoms), at 0.52, 0.76 and 1.0 of the liquid's density: from
    the frame 14.7, 19.2, 26.0 kbar; from step 50 of dynamics 0.1, -2.0, -1.8; from step 2 of a
    relaxation -4.7, -9.0, -10.3.
    """
    bare = series.Params(frame=19, xtb=XTB, volume_scan=SCAN)
    own = series.Params(frame=19, step=2, xtb=XTB, volume_scan=SCAN)
    strained = pressures(give(series.STAGE, bare, tmp_path / "bare", trajectory=classical.sample))
    made = give(series.STAGE, own, tmp_path / "own", series=relaxed)
    assert strained[0] > 5
    assert abs(pressures(made)[0]) < strained[0] / 2
    assert abs(pressures(made)[1]) < strained[1] / 2


def test_a_scan_holds_the_step_it_starts_from(relaxed: Given, tmp_path: Path) -> None:
    scan = VolumeScan(relative=(0.9, 1.0), points=2).absolute(1.5)
    params = series.Params(frame=19, step=2, xtb=XTB, volume_scan=scan)
    made = give(series.STAGE, params, tmp_path / "scan", series=relaxed)
    last, first = read(made.path / "series.extxyz")[-1], read(relaxed.path / "series.extxyz")[2]
    energies = [atoms.get_potential_energy() for atoms in (last, first)]
    assert energies[0] == pytest.approx(energies[1], abs=1e-3)  # the density by its masses


def test_a_step_that_is_not_there_is_named(relaxed: Given, tmp_path: Path) -> None:
    params = series.Params(frame=19, step=3, xtb=XTB, volume_scan=SCAN)
    with pytest.raises(StageError, match="has no step 3; it ends at step 2"):
        series.run(params, Inputs({"series": (relaxed,)}), tmp_path)
