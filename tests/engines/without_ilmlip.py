"""Predict frames with a packaged or compiled model by nequip alone: started as its own program.

python without_ilmlip.py MODEL FRAMES OUT: energies, forces and stress of each frame, as JSON.
"""

import json
import sys
from pathlib import Path


def main(model: str, frames: str, out: str) -> None:
    sys.modules["ilmlip"] = None  # whatever would import it fails
    from ase.io import read
    from nequip.integrations.ase import NequIPCalculator

    packaged = model.endswith(".nequip.zip")
    read_model = (
        NequIPCalculator._from_saved_model if packaged else NequIPCalculator.from_compiled_model
    )
    calculator = read_model(model, chemical_species_to_atom_type_map=True)
    found = []
    for atoms in read(frames, ":"):
        atoms.calc = calculator
        found.append(
            {
                "energy": float(atoms.get_potential_energy()),
                "forces": atoms.get_forces().tolist(),
                "stress": atoms.get_stress().tolist(),
            }
        )
    Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
