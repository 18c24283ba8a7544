"""Stage `lammps_files`: a run of a model as files for a user's own LAMMPS."""

from __future__ import annotations

from pathlib import Path

from ilmlip.engines.lammps import INPUT
from ilmlip.record import Record, field
from ilmlip.spec.ensemble import Run
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.md import start_of


class Params(Record):
    """The run, and what LAMMPS is to write of it."""

    run: Run = field("The conditions")
    seed: int = field("Seed of the first velocities", ge=0)
    supercell: tuple[int, int, int] = field("How often the box is repeated", default=(1, 1, 1))
    thermo_every: int = field("Steps between lines of the log", ge=1)
    frame_every: int = field("Steps between frames", ge=1)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Write in.lammps, start.data and role `model`, compiled for LAMMPS with frames of `dataset`.

    The run starts from the last frame of role `structure`. values: `pair_style`, and `elements`, those
    of the box in the order of LAMMPS's types. notes: `lmp`, whether the one on PATH could run it.
    """
    from ilmlip.engines import lammps_files, lammps_model, nequip, nequip_package

    model = inputs.one("model").path
    architecture = nequip.load(model).architecture
    atoms = start_of(inputs.one("structure").path) * params.supercell
    lammps_files.write_files(
        work, atoms, architecture, params.run, params.seed, params.thermo_every, params.frame_every
    )
    target = f"pair_{architecture}"
    file = nequip_package.compiled(model, inputs.one("dataset").path, work, target)
    return Output(
        (INPUT, lammps_files.START, file.name),
        {"pair_style": architecture, "elements": lammps_model.types(atoms)},
        nequip.tools(),
        {"lmp": lammps_files.ready(architecture)},
    )


STAGE = Stage("lammps_files", 2, Params, run, Resources(cores=1, memory_gb=2.5, seconds=60))
"""Writes a run for LAMMPS."""
