"""A trained nequip model that predicts frames. Not a program: the other tools import it."""

import os
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.stress import full_3x3_to_voigt_6_stress
from nequip.data import AtomicDataDict, from_ase
from nequip.integrations.utils import basic_transforms
from nequip.model.saved_models import load_saved_model
from nequip.utils.global_state import set_global_state
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Potential:
    """The model of a checkpoint."""

    def __init__(self, checkpoint: Path) -> None:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        set_global_state(allow_tf32=False)
        self.model = load_saved_model(str(checkpoint)).eval()
        metadata = self.model.metadata
        types = metadata["type_names"].split(" ")
        self.transforms = basic_transforms(
            metadata, float(metadata["r_max"]), types, {t: t for t in types}
        )

    def predict(self, atoms: Atoms) -> tuple[float, Array, Array, Array]:
        """Energy (eV), forces (atoms, 3) in eV/Å, energy of each atom (atoms,) in eV, stress.

        The stress is xx, yy, zz, yz, xz, xy in eV/Å³, positive is tension.
        """
        data = from_ase(atoms)
        for transform in self.transforms:
            data = transform(data)
        out = self.model(AtomicDataDict.batched_from_list([data]))
        energy, forces, atomic, stress = (
            out[name].detach().numpy().astype(float)
            for name in ("total_energy", "forces", "atomic_energy", "stress")
        )
        if not (np.isfinite(energy).all() and np.isfinite(forces).all()):
            raise SystemExit("the model predicts a value that is no finite number")
        voigt = full_3x3_to_voigt_6_stress(stress.reshape(3, 3))
        return float(energy.item()), forces, atomic[:, 0], voigt
