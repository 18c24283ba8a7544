"""The stage equilibrate: the protocol as stated, the density as stated, for every composition."""

from __future__ import annotations

import csv
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from classical import DENSITY, Classical, give, whole

from ilmlip.chemistry.boxes import ion_names, read_one
from ilmlip.engines import lammps
from ilmlip.errors import StageError
from ilmlip.spec.mixtures import ion_counts
from ilmlip.stages import build, equilibrate
from ilmlip.stages.dynamics import COLUMNS


def test_it_ends_at_the_stated_density(classical: Classical) -> None:
    atoms = read_one(classical.equilibrate.path / "structure.extxyz", 0)
    density = atoms.get_masses().sum() / atoms.get_volume() * 1.66053906660
    assert density == pytest.approx(DENSITY, rel=1e-4)
    assert classical.equilibrate.values["density"] == pytest.approx(DENSITY, rel=1e-9)
    before = read_one(classical.build.path / "structure.extxyz", 0)
    assert ion_names(atoms) == ion_names(before)
    whole(classical.equilibrate.path / "structure.extxyz", classical.ions)


def test_the_next_run_starts_with_velocities(classical: Classical) -> None:
    assert "\nVelocities\n" in (classical.equilibrate.path / equilibrate.END).read_text(
        encoding="utf-8"
    )


def test_thermo_has_the_stated_columns_and_ends_warm(classical: Classical) -> None:
    with (classical.equilibrate.path / "thermo.csv").open(newline="") as lines:
        header, *rows = csv.reader(lines)
    assert tuple(header) == COLUMNS
    steps = [int(row[0]) for row in rows]
    assert steps == sorted(steps)
    assert 100 < float(rows[-1][2]) < 700  # K; sixty atoms


def test_the_ten_stages_of_table_s1_in_sequence(classical: Classical) -> None:
    """Durations scaled; ramps of one stage run from its start to its end without a gap."""
    parts = equilibrate.protocol(classical.equilibrate_params, 10.0)
    lines = [line for part in parts for line in part]
    starts = [i for i, line in enumerate(lines) if line.startswith("# stage")]
    assert len(starts) == 10
    ends = [*starts[1:], lines.index("# to the stated density")]
    for begin, end, part in zip(starts, ends, classical.protocol, strict=True):
        own = lines[begin:end]
        if part.model_fields_set == {"minimise"}:
            assert any(line.startswith("minimize") for line in own)
            continue
        ramps = [
            [float(x) for x in re.findall(r"temp (\S+) (\S+) \S+ iso (\S+) (\S+)", line)[0]]
            for line in own
            if line.startswith("fix npt")
        ]
        for before, after in pairwise(ramps):
            assert (before[1], before[3]) == pytest.approx((after[0], after[2]), rel=1e-5)
        assert (ramps[0][0], ramps[-1][1]) == pytest.approx(part.temperature)
        assert (ramps[0][2], ramps[-1][3]) == pytest.approx(part.pressure)
        assert sum(int(line.split()[1]) for line in own if line.startswith("run ")) == round(
            part.duration
        )


def test_the_protocol_is_the_papers() -> None:
    """Table S1 against conf/sampling/paper.yaml: ns, K, MPa there; fs, K, bar here."""
    table = Path(__file__).parents[3] / "shared" / "paper" / "tables" / "s1_equilibration.csv"
    if not table.is_file():
        pytest.skip("the paper's tables (shared/) are not here")
    from ilmlip.spec.load import load

    stages = load(["quickstart"]).sampling.equilibration.stages
    rows = list(
        csv.reader(line for line in table.open(encoding="utf-8") if not line.startswith("#"))
    )[1:]
    assert len(stages) == len(rows) == 10

    def ends(text: str) -> tuple[float, float]:
        first, *last = [float(word) for word in text.split("->")]
        return first, (last or [first])[0]

    for part, (name, duration, temperature, pressure) in zip(stages, rows, strict=True):
        if name == "energy minimisation":
            assert part.model_dump() == {"minimise": True}
        else:
            assert part.duration == pytest.approx(float(duration) * 1e6)
            assert part.temperature == pytest.approx(ends(temperature))
            assert part.pressure == pytest.approx([10 * p for p in ends(pressure)])


@pytest.mark.engine
@pytest.mark.parametrize("x", [0.0, 0.2, 0.8, 1.0])
def test_every_composition_of_five_pairs_comes_through(
    classical: Classical, tmp_path: Path, x: float
) -> None:
    """Forty to 130 atoms, in boxes of less than twice the cutoff."""
    system = classical.spec.system
    counts = ion_counts(system, classical.spec.compositions, x)
    geometry = {name: system.ions[name].geometry() for name in counts}
    packed = give(
        build.STAGE,
        build.Params(counts=counts, ions=geometry, spacing=12.0, seed=1),
        tmp_path / "build",
    )
    density = 1.42 + 0.92 * x
    made = give(
        equilibrate.STAGE,
        classical.equilibrate_params.model_copy(update={"density": density, "seed": 1}),
        tmp_path / "equilibrate",
        forcefield=classical.forcefield,
        structure=packed,
    )
    assert made.values["density"] == pytest.approx(density)
    whole(made.path / "structure.extxyz", classical.ions)
    last = np.genfromtxt(made.path / "thermo.csv", delimiter=",", names=True)[-1]
    assert np.isfinite(last["potential_eV"]) and last["temperature_K"] < 1000


@pytest.mark.engine
def test_the_volume_that_the_protocol_ends_at_is_kept(classical: Classical, tmp_path: Path) -> None:
    made = give(
        equilibrate.STAGE,
        classical.equilibrate_params.model_copy(
            update={"density": None, "keep_volume": True, "seed": 1}
        ),
        tmp_path / "equilibrate",
        forcefield=classical.forcefield,
        structure=classical.build,
    )
    rows = np.genfromtxt(made.path / "thermo.csv", delimiter=",", names=True)
    assert made.values["density"] == pytest.approx(rows[-1]["density_g_cm3"], rel=1e-6)
    kept = rows["density_g_cm3"] == rows[-1]["density_g_cm3"]
    assert kept[-3:].all() and not kept.all()


def test_a_run_that_fails_says_why(classical: Classical, tmp_path: Path) -> None:
    """A time step of 20 fs tears the ions apart."""
    params = classical.equilibrate_params.model_copy(update={"timestep": 20.0})
    with pytest.raises(StageError) as error:
        give(
            equilibrate.STAGE, params, tmp_path / "wild",
            forcefield=classical.forcefield, structure=classical.build,
        )  # fmt: skip
    assert "ERROR" in error.value.reason
    assert error.value.log == lammps.LOG
    assert (tmp_path / "wild" / lammps.LOG).is_file()
