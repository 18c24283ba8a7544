"""Solve the energies of the elements again, on what the trained network leaves.

    python tools/refit.py 5-train/0.4-seed1

Reads in that folder: config.yaml, model.ckpt, and training.json ("refit_shifts": whether to do
this at all). To the elements' energies in model.ckpt it adds the least squares of smallest norm over
the residuals of the training frames. The energies before are kept in refit.json with the step.
"""

import json
import sys
from pathlib import Path

import ase.io
import torch
import yaml
from potential import Potential
from shifts import element_counts, least_squares


def add_to_shifts(checkpoint: Path, step: dict[str, float]) -> dict[str, float]:
    """Add {element: eV} to the model's shifts in the checkpoint file; returns those before."""
    whole = torch.load(checkpoint, map_location="cpu", weights_only=True)
    state = whole["state_dict"]
    (name,) = [n for n in state if n.endswith("scale_shift.shifts")]
    types = whole["hyper_parameters"]["model"]["type_names"]
    before = state[name].reshape(-1).tolist()
    new = [[old + step[t]] for old, t in zip(before, types, strict=True)]
    state[name] = torch.tensor(new, dtype=state[name].dtype)
    torch.save(whole, checkpoint)
    return dict(zip(types, before, strict=True))


def main(folder: Path) -> None:
    """Refit the model of one training."""
    if not json.loads((folder / "training.json").read_text(encoding="utf-8"))["refit_shifts"]:
        return
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    frames = list(ase.io.iread(folder / config["data"]["train_file_path"]))
    model = Potential(folder / "model.ckpt")
    residuals = [frame.get_potential_energy() - model.predict(frame)[0] for frame in frames]
    types = config["training_module"]["model"]["type_names"]
    step = dict(zip(types, least_squares(element_counts(frames, types), residuals), strict=True))
    before = add_to_shifts(folder / "model.ckpt", step)
    (folder / "refit.json").write_text(
        json.dumps({"before": before, "step": step}, indent=1), encoding="utf-8"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
