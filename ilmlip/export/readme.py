"""README.md of an exported study."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from ilmlip.engines import lammps, nequip
from ilmlip.export.layout import DATASET, DERIVE, EQUILIBRATE, EVALUATE, LABEL, SAMPLE, TRAIN
from ilmlip.plan.graph import Plan
from ilmlip.spec.types import Spec

FOLDERS = {
    EQUILIBRATE: "one folder per structure, `<composition>-<structure>`: `system.data` (packed box, "
    "force field) and `in.lammps`; leaves `equilibrated.data`",
    SAMPLE: "the same names: `in.lammps`; leaves `frames.dump` and its own `system.data`",
    LABEL: "the same names: `frames.json` (steps of the dump), `in.lammps`; leaves "
    "`labelled.extxyz`. Labels by Quantum ESPRESSO: `in.pw` and `pseudo.md5`. What is made of frames "
    "has its kind in the name (`-aimd`, `-relax`, `-volume_scan`, `-rattle`); `steps.json`: the steps "
    "that are labelled frames",
    DERIVE: "`<composition>-<structure>-<kind>`: scans and rattles that start from a step of dynamics "
    "or relaxations in `3-label`, labelled alike",
    DATASET: "`split.json`: which frame goes where; leaves `train.extxyz` and `val.extxyz`, or "
    "`test.extxyz`",
    TRAIN: "`<training set>-seed<seed>`: `config.yaml` of nequip; leaves `model.ckpt`. "
    "`<training set>-linear`: leaves `linear.json`. `models.csv` says what each model is",
    EVALUATE: "`evaluations.json`: which model on which test set; leaves `errors.csv`",
}

TEXT = """\
# {name}

{description}
Written by ilmlip {ilmlip} as native inputs: nothing here needs ilmlip.{points}

| step | what its folders hold |
|---|---|
{folders}

{compositions} Structure 0 of a composition is trained and validated
on, structure 1 is a box of its own to test on, unless `split.json` says otherwise. Names that several
variants of the study share get digits of a hash. `tools/` holds the short programs that the
scripts call; each says at its top what it reads and writes.

## To run it

    bash run_all.sh

or step by step, `bash 1-equilibrate.sh` and so on; each script takes folders as arguments, to do
these only. A folder that holds a file `done` is skipped: remove the file to do it again, and those
of the steps after it.

On a cluster with Slurm, from this folder:

    previous=
    for step in {steps}; do
      previous=$(sbatch --parsable ${{previous:+--dependency=afterok:$previous}} $step.sh)
    done

That is one job per step. The folders of a step do not depend on each other, so they may be jobs of
their own: `for f in 1-equilibrate/*/; do sbatch 1-equilibrate.sh "$f"; done`. Add what your cluster
asks for (account, partition) to the `#SBATCH` lines, and check their times.

## What it takes

`lmp`, `nequip-train` and `python` on the PATH, such as by

    pip install {packages}

LAMMPS needs its packages MOLECULE and KSPACE. Energies are in eV, lengths in Å, forces in eV/Å,
stress in eV/Å³ (tension is positive); LAMMPS's inputs are in its units `metal`, with times in ps. On
one machine, with these versions and one core, the numbers are those of ilmlip itself; other machines
and more cores round differently, which makes other trajectories of the same physics.
{labels}
## What is not here

{notes}
"""


def readme(
    plan: Plan, specs: Sequence[Spec], steps: Sequence[str], notes: Sequence[str], labels: str = ""
) -> str:
    """The text, for the steps that the study has; `labels` says what a program of theirs takes."""
    spec = specs[0]
    number = len(specs)
    return TEXT.format(
        name=plan.study,
        description=f"{spec.description.rstrip('.')}.\n" if spec.description else "",
        ilmlip=version_of_ilmlip(),
        points="" if number == 1 else f" {number} variants share what they have in common.",
        folders="\n".join(f"| `{step}` | {FOLDERS[step]} |" for step in steps),
        compositions=_compositions(spec),
        labels=labels,
        steps=" ".join(steps),
        packages=" ".join(f"'{p}'" for p in packages()),
        notes="\n".join(f"- {note}" for note in notes),
    )


def _compositions(spec: Spec) -> str:
    """What a composition's name in a folder means."""
    salts = spec.compositions.salts
    if len(salts) == 2:
        return f"Mole fractions are those of {salts[1]} in {salts[0]}."
    if not salts:
        return "Compositions are formulas."
    return f"Compositions go by name; the salts are {', '.join(salts)}."


def version_of_ilmlip() -> str:
    """The version of this ilmlip."""
    from ilmlip import __version__

    return __version__


def packages() -> list[str]:
    """What to install, with the versions that ilmlip itself uses here."""
    tools = {**lammps.tools(), **nequip.tools(), "ase": version("ase"), "numpy": version("numpy")}
    extra = {"lammps": "[mpi]"}
    # a local build's mark, as in 2.13.0+cpu, is no version that others can install
    return [f"{n}{extra.get(n, '')}=={v.partition('+')[0]}" for n, v in tools.items()]
