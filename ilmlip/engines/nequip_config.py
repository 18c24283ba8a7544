"""The config of a training as `nequip-train` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ilmlip.spec.model import Recipe, Training

MODEL_NAME = "model"
"""What a training leaves is called so: the checkpoint .ckpt, and .json what makes the network."""
CONFIG = "config.yaml"
TRAIN_FILE, VAL_FILE = "train.extxyz", "val.extxyz"
BROKEN = "broken.json"
"""What a training leaves whose loss became no finite number."""
START = "start.nequip.zip"
"""The packaged model in the folder of a training that starts from it."""
CURVE_FOLDER = "curve"
"""The folder of nequip's own log of the training, `metrics.csv`."""
_STATS = "${training_data_stats:%s}"  # nequip-train resolves it: it stays as it is in the file


def training_config(
    training: Training,
    shifts: Mapping[str, float],
    *,
    some_stress: bool = False,
    device: str = "cpu",
) -> dict[str, Any]:
    """The whole config, for data files TRAIN_FILE and VAL_FILE beside it.

    `shifts`: the energy of each element that the model knows, eV; its keys are the model's types.
    `some_stress`: only some of the frames have a stress; the others are left out of its error.
    `device`: cpu or cuda.
    """
    return {
        "run": ["train"],
        "data": _data(training, list(shifts), some_stress),
        "trainer": _trainer(training, device),
        "training_module": {
            "_target_": "nequip.train."
            + ("EMALightningModule" if training.ema_decay else "NequIPLightningModule"),
            **({"ema_decay": training.ema_decay} if training.ema_decay else {}),
            "loss": _loss(training) | _ignored(some_stress),
            "val_metrics": _metrics(training) | _ignored(some_stress),
            "optimizer": {"_target_": "torch.optim.Adam", "lr": training.learning_rate},
            **_schedule(training),
            "model": _started(shifts) if training.fine_tune else model_config(training, shifts),
        },
    }


def guarded(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config that is run: it also ends at the first loss that is no finite number."""
    trainer = dict(config["trainer"])
    guard = {"_target_": "ilmlip.engines.nequip_guard.Guard"}
    return {**config, "trainer": trainer | {"callbacks": [*trainer["callbacks"], guard]}}


def _ignored(some_stress: bool) -> dict[str, Any]:
    return {"ignore_nan": {"stress": True}} if some_stress else {}


def _data(training: Training, types: list[str], some_stress: bool) -> dict[str, Any]:
    added = [{"_target_": "nequip.data.transforms.AddNaNStressTransform"}] if some_stress else []
    return {
        "_target_": "nequip.data.datamodule.ASEDataModule",
        "seed": training.seed,
        "train_file_path": TRAIN_FILE,
        "val_file_path": VAL_FILE,
        "transforms": [
            *added,
            {
                "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
                "model_type_names": types,
                "chemical_species_to_atom_type_map": {t: t for t in types},
            },
            {
                "_target_": "nequip.data.transforms.NeighborListTransform",
                "r_max": training.r_max,
            },
        ],
        "train_dataloader": {
            "_target_": "torch.utils.data.DataLoader",
            "batch_size": training.batch_size,
            "shuffle": True,
        },
        "val_dataloader": {"_target_": "torch.utils.data.DataLoader", "batch_size": 10},
        "stats_manager": {
            "_target_": "nequip.data.CommonDataStatisticsManager",
            "type_names": types,
            "dataloader_kwargs": {"batch_size": 10},
        },
    }


def _trainer(training: Training, device: str) -> dict[str, Any]:
    return {
        "_target_": "lightning.Trainer",
        "accelerator": {"cpu": "cpu", "cuda": "gpu"}[device],
        "devices": 1,
        "max_steps": training.max_steps,
        **({"max_time": _clock(training.max_hours)} if training.max_hours else {}),
        "log_every_n_steps": 100,
        "gradient_clip_val": training.gradient_clip,
        "enable_progress_bar": False,
        "logger": {
            "_target_": "lightning.pytorch.loggers.CSVLogger",
            "save_dir": CURVE_FOLDER,
            "name": "",
            "version": "",
            "flush_logs_every_n_steps": 1,
        },
        "callbacks": [
            {
                # the newest state, after each epoch: see engines/nequip.py for why not the best
                "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
                "dirpath": ".",
                "filename": MODEL_NAME,
                "save_on_train_epoch_end": True,
            },
            {
                # stops at a validation whose loss is not finite, and when it has long not fallen
                "_target_": "lightning.pytorch.callbacks.EarlyStopping",
                "monitor": "val0_epoch/weighted_sum",
                "check_finite": True,
                "strict": False,
                "patience": training.early_stopping or 1_000_000_000,
            },
        ],
    }


def _clock(hours: float) -> str:
    """Hours as Lightning reads a time: DD:HH:MM:SS."""
    minutes, seconds = divmod(round(3600 * hours), 60)
    whole, minutes = divmod(minutes, 60)
    return f"{whole // 24:02}:{whole % 24:02}:{minutes:02}:{seconds:02}"


def _loss(recipe: Recipe) -> dict[str, Any]:
    """The loss: mean squared errors; nequip has it with and without stress."""
    weights = recipe.loss
    coeffs = {"total_energy": weights.energy, "forces": weights.force}
    if weights.stress:
        coeffs["stress"] = weights.stress
    name = "EnergyForceStressLoss" if weights.stress else "EnergyForceLoss"
    return {"_target_": f"nequip.train.{name}", "per_atom_energy": True, "coeffs": coeffs}


def _metrics(recipe: Recipe) -> dict[str, Any]:
    """What a validation reports; the weighted sum of the RMSEs is what early stopping watches."""
    weights = recipe.loss
    coeffs = {"per_atom_energy_rmse": weights.energy, "forces_rmse": weights.force}
    if weights.stress:
        coeffs["stress_rmse"] = weights.stress
    name = "EnergyForceStressMetrics" if weights.stress else "EnergyForceMetrics"
    return {"_target_": f"nequip.train.{name}", "coeffs": coeffs}


def _schedule(recipe: Recipe) -> dict[str, Any]:
    if recipe.schedule == "constant":
        return {}
    if recipe.schedule == "plateau":
        scheduler: dict[str, Any] = {
            "_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau",
            "factor": recipe.plateau_factor,
            "patience": recipe.plateau_patience,
        }
        watched = {"monitor": "val0_epoch/weighted_sum", "interval": "epoch", "frequency": 1}
        return {"lr_scheduler": {"scheduler": scheduler, **watched}}
    scheduler = {
        "_target_": "torch.optim.lr_scheduler.CosineAnnealingLR",
        "T_max": recipe.max_steps,
    }
    return {"lr_scheduler": {"scheduler": scheduler, "interval": "step", "frequency": 1}}


def _started(shifts: Mapping[str, float]) -> dict[str, Any]:
    """The network of the package START, with other energies of its elements."""
    return {
        "_target_": "nequip.model.modify",
        "modifiers": [{"modifier": "modify_PerTypeScaleShift", "shifts": dict(shifts)}],
        "model": {"_target_": "nequip.model.ModelFromPackage", "package_path": START},
    }


def model_config(training: Training, shifts: Mapping[str, float]) -> dict[str, Any]:
    """The section of the network itself: its builder (`_target_`) and what that takes."""
    common: dict[str, Any] = {
        "seed": training.seed,
        "model_dtype": training.dtype,
        "type_names": list(shifts),
        "r_max": training.r_max,
        "l_max": training.l_max,
        "parity": training.parity,
        "num_layers": training.n_layers,
        "avg_num_neighbors": _STATS % "num_neighbors_mean",
        "per_type_energy_scales": _STATS % "forces_rms",
        "per_type_energy_shifts": dict(shifts),
    }
    if training.zbl:
        species = list(shifts)
        common["pair_potential"] = {
            "_target_": "nequip.nn.pair_potential.ZBL",
            "units": "metal",  # eV and Å
            "chemical_species": species,
        }
    own = _nequip(training) if training.architecture == "nequip" else _allegro(training)
    native = {k: list(v) if isinstance(v, tuple) else v for k, v in training.native.items()}
    return own | common | native


def _nequip(recipe: Recipe) -> dict[str, Any]:
    features = recipe.n_features
    return {
        "_target_": "nequip.model.NequIPGNNModel",
        "num_features": list(features) if isinstance(features, tuple) else features,
        "num_bessels": recipe.n_bessels,
        "radial_mlp_depth": 1,
        "radial_mlp_width": recipe.mlp_width,
    }


def _allegro(recipe: Recipe) -> dict[str, Any]:
    networks = ("scalar_embed_mlp", "allegro_mlp", "readout_mlp")
    return {
        "_target_": "allegro.model.AllegroModel",
        "num_scalar_features": recipe.n_scalar_features,
        "num_tensor_features": recipe.n_tensor_features,
        "radial_chemical_embed": {
            "_target_": "allegro.nn.TwoBodyBesselScalarEmbed",
            "num_bessels": recipe.n_bessels,
        },
        **{f"{network}_hidden_layers_depth": 1 for network in networks},
        **{f"{network}_hidden_layers_width": recipe.mlp_width for network in networks},
    }
