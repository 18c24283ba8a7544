"""Runs inside nequip-train: ends a training at a loss that is no number, and goes on as it was.

A callback of Lightning that the config in the work folder names beside those of the config that is
kept, so that the latter needs nothing of ilmlip.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import torch

from ilmlip.engines.nequip_config import BROKEN, TRAIN_FILE

_UNTOLD = "ilmlip_untold"
SAME = 1e-3
"""Å; positions in a batch may be in single precision."""


class Guard(lightning.Callback):
    """Stops at a loss that is not finite; BROKEN then says at which step, with which frames."""

    _untold: Mapping[int, Any] = {}
    """Errors that a schedule which waits for a plateau has to be told when the next epoch begins."""

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: Any) -> None:
        """Keep the error of this epoch: Lightning tells the schedule after the checkpoint."""
        checkpoint[_UNTOLD] = _watched(trainer)

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: Any) -> None:
        """Shuffle on from where the checkpoint was: nequip reads that state after it is used."""
        data = trainer.datamodule
        data.train_generator.set_state(data.train_generator_state)
        self._untold = checkpoint.get(_UNTOLD, {})

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Tell the schedules, which have been restored by now, what they were not told."""
        for i, error in self._untold.items():
            trainer.lr_scheduler_configs[i].scheduler.step(error)
        self._untold = {}

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Lightning tells no schedule of the first epoch after a training went on."""
        if trainer.fit_loop.restarting:
            self._untold = _watched(trainer)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the loss of the step that was just done."""
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if bool(torch.isfinite(loss)):
            return
        found = {"step": int(trainer.global_step), "loss": str(loss.item()), "frames": _of(batch)}
        Path(BROKEN).write_text(json.dumps(found) + "\n", encoding="utf-8")
        raise RuntimeError(f"the loss is {found['loss']} at step {found['step']}")


def _watched(trainer: Any) -> dict[int, Any]:
    """The error that each schedule which waits for a plateau looks at, by the schedule's number."""
    return {
        i: trainer.callback_metrics[config.monitor]
        for i, config in enumerate(trainer.lr_scheduler_configs)
        if config.reduce_on_plateau
    }


def _of(batch: Any) -> list[int]:
    """Which frames of the training file (from 0) are in a batch: those with the same positions.

    The energies in the batch are the model's by now.
    """
    from ase.io import iread

    sizes = batch["num_atoms"].reshape(-1).tolist()
    parts = [part.detach().cpu().numpy() for part in torch.split(batch["pos"], sizes)]
    return [
        i
        for i, atoms in enumerate(iread(TRAIN_FILE, format="extxyz"))
        if any(
            len(part) == len(atoms) and abs(part - atoms.positions).max() < SAME for part in parts
        )
    ]
