"""`python -m benchmarks [NAME] [--quick]`: NAME is a key of ALL, or none for all but the long ones."""

from __future__ import annotations

import argparse
from importlib import import_module

from benchmarks import (
    agreement,
    density,
    engines,
    kills,
    labelling,
    load,
    overhead,
    planning,
    running,
    slurm_load,
    sweeping,
    trainings,
)
from benchmarks.measure import adopt_orphans
from benchmarks.report import Table, insert


def tracking(quick: bool) -> Table:
    """Imported when it is called: MLflow takes seconds, and the others are measured without it."""
    found: Table = import_module("benchmarks.tracking").main(quick)
    return found


ALL = {
    "overhead": overhead.main,
    "plan": planning.main,
    "sweep": sweeping.main,
    "lammps": engines.sampling,
    "train": engines.training,
    "trainings": trainings.main,
    "md": running.main,
    "agreement": agreement.main,
    "labels": labelling.main,
    "tracking": tracking,
    "slurm": slurm_load.main,
    "density": density.main,
    "kills": kills.main,
    "load": load.main,
}
LONG = ("density", "kills", "slurm")
"""Only by name: hours, or half an hour, or with a Slurm that is started as root."""


def main() -> None:
    """Run all or one, print the tables, and put them into README.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "name",
        nargs="?",
        choices=list(ALL),
        help=f"one of them; default: all but {' and '.join(LONG)}",
    )
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, to try the code; README.md stays"
    )
    words = parser.parse_args()
    adopt_orphans()
    for name in [words.name] if words.name else [n for n in ALL if n not in LONG]:
        table = ALL[name](words.quick)
        print(f"{name}: {table.text()}\n", flush=True)
        if not words.quick:
            insert(table)


if __name__ == "__main__":
    main()
