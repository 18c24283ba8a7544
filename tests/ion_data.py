"""Ions' data files that tests break on purpose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from ilmlip.spec.shipped import shipped

ACETATE = {
    "name": "acetate",
    "charge": -1,
    "source": "il.ff",
    "smiles": "CC(=O)[O-]",
    "atoms": [
        ["C1", "C", "CT", -0.28],
        ["C2", "C", "CO", 0.70],
        ["O1", "O", "O2", -0.80],
        ["O2", "O", "O2", -0.80],
        ["H1", "H", "HC", 0.06],
        ["H2", "H", "HC", 0.06],
        ["H3", "H", "HC", 0.06],
    ],
    "lj": {
        "CT": [3.5, 0.27614],
        "CO": [3.75, 0.43932],
        "O2": [2.96, 0.87864],
        "HC": [2.5, 0.12552],
    },
    "bond_types": {"HC-CT": [1.09, 2845], "CT-CO": [1.522, 2653], "CO-O2": [1.25, 5489]},
    "angle_types": {
        "HC-CT-HC": [107.8, 276.1],
        "HC-CT-CO": [109.5, 292.9],
        "CT-CO-O2": [117, 585.8],
        "O2-CO-O2": [126, 669.4],
    },
    "dihedral_types": {"HC-CT-CO-O2": [0, 0, 0, 0]},
    "impropers": [["C1", "O1", "C2", "O2", 87.864]],
}

Change = Callable[[dict[str, Any]], object]


def shipped_ion(name: str) -> Path:
    return shipped("conf") / "ion" / f"{name}.yaml"


def changed(name: str, change: Change, folder: Path) -> Path:
    """A shipped ion's file (or acetate's) with something changed."""
    source = (
        ACETATE
        if name == "acetate"
        else yaml.safe_load(shipped_ion(name).read_text(encoding="utf-8"))
    )
    data = yaml.safe_load(yaml.safe_dump(source))
    change(data)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path
