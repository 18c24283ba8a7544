"""A trained network as data: what builds it as JSON, and its weights as plain arrays.

nequip's own checkpoint is a pickle, and whoever opens one may run what lies in it. It stays beside
the data for nequip's own tools; ilmlip opens it only where nequip-train has just left it, and then
by the reader of torch that knows tensors and plain values alone. What comes out of a store is
model.json, checked as any record is, and weights.npz, read without objects.
"""

from __future__ import annotations

import sys
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError, model_validator

from ilmlip.engines.nequip_config import MODEL_NAME, model_config
from ilmlip.errors import SpecError, StageError
from ilmlip.record import Record, field
from ilmlip.spec.model import Training

CHECKPOINT = f"{MODEL_NAME}.ckpt"
NETWORK = f"{MODEL_NAME}.json"
WEIGHTS = "weights.npz"

_PREFIX = "model.sole_model."
"""What stands before the network's own names in the state of nequip's training module."""
_AVERAGED = "ema.ema_weight_"
"""The running averages of the parameters are called so, numbered in the parameters' order."""
_HEADER = 10_000
"""More bytes than the header of an array in an npz may have."""


class Network(Record):
    """What makes a network but its weights: nothing that names code."""

    training: Training = field("The training that it comes from")
    elements: tuple[str, ...] = field("Its types, in the order of the weights", min_length=1)
    avg_num_neighbors: float = field("Mean number of neighbours in the training frames", gt=0)

    @model_validator(mode="after")
    def _each_element_once(self) -> Self:
        from ase.data import chemical_symbols

        if len(set(self.elements)) != len(self.elements):
            raise ValueError("elements has one twice")
        if unknown := set(self.elements) - set(chemical_symbols[1:]):
            raise ValueError(f"{min(unknown)} is no element")
        return self


def strip(
    path: Path,
    shifts: Mapping[str, float] | None = None,
    network: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Leave in a fresh checkpoint what makes the model, and give its elements energies (eV) if any.

    `network`: the builder and its arguments that the checkpoint shall name, instead of a package
    that its training started from.

    What goes is the state of the optimiser and of the callbacks, which holds paths of this
    machine. nequip loads, compiles and packages the file as it does any checkpoint of its own.
    Returns what the file holds now. The watch over the loss goes too: nequip opens the file without us.
    """
    import torch

    whole = torch.load(path, map_location="cpu", weights_only=True)
    kept = ("state_dict", "hyper_parameters", "pytorch-lightning_version", "epoch", "global_step")
    slim = {name: whole[name] for name in kept}
    slim |= {"callbacks": {}, "optimizer_states": [], "lr_schedulers": [], "loops": {}}
    trainer = slim["hyper_parameters"]["info_dict"]["trainer"]
    trainer["callbacks"] = [
        c for c in trainer["callbacks"] if not c["_target_"].startswith("ilmlip.")
    ]
    if network is not None:
        _, scales = _weight(slim, "scale_shift.scales")
        held = dict(zip(network["type_names"], scales.flatten().tolist(), strict=True))
        slim["hyper_parameters"]["model"] = {**network, "per_type_energy_scales": held}
        slim["hyper_parameters"]["info_dict"]["training_module"]["model"] = slim[
            "hyper_parameters"
        ]["model"]
    if shifts is not None:
        name, old = _weight(slim, "scale_shift.shifts")
        types = slim["hyper_parameters"]["model"]["type_names"]
        slim["state_dict"][name] = torch.tensor([[shifts[t]] for t in types], dtype=old.dtype)
    made: dict[str, Any] = _unshared(slim)
    torch.save(made, path)
    return made


def _unshared(value: Any) -> Any:
    """The same with no part in two places but its strings, each of which is there once.

    A pickle tells the same object from an equal one: without this, a training that went on from a
    checkpoint would end with the same numbers in other bytes.
    """
    import torch

    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        made = type(value)((_unshared(k), _unshared(v)) for k, v in value.items())
        if hasattr(value, "__dict__"):  # an OrderedDict's own: the versions of a state's modules
            made.__dict__.update(_unshared(vars(value)))
        return made
    if isinstance(value, (list, tuple)):
        return type(value)(map(_unshared, value))
    return value


def _weight(checkpoint: Mapping[str, Any], ending: str) -> tuple[str, Any]:
    """The one tensor of a checkpoint whose name ends so, and its name."""
    (name,) = [n for n in checkpoint["state_dict"] if n.endswith(ending)]
    return name, checkpoint["state_dict"][name]


def export(
    work: Path,
    training: Training,
    shifts: Mapping[str, float] | None = None,
    network: Mapping[str, Any] | None = None,
) -> int:
    """Strip the fresh checkpoint in `work` (see `strip`); write model.json and weights.npz.

    The weights are those that nequip would predict with: the running averages if there are any.
    Returns the number of steps that it was trained for.
    """
    slim = strip(work / CHECKPOINT, shifts, network)
    settings, state = slim["hyper_parameters"]["model"], slim["state_dict"]
    made = Network(
        training=training,
        elements=tuple(settings["type_names"]),
        avg_num_neighbors=settings["avg_num_neighbors"],
    )
    model = build(made)
    own = {n.removeprefix(_PREFIX): v for n, v in state.items() if n.startswith(_PREFIX)}
    if training.ema_decay:
        names = [name for name, _ in model.named_parameters()]
        own |= {name: state[f"{_AVERAGED}{i}"] for i, name in enumerate(names)}
    model.load_state_dict(own)  # the names and shapes are those of the network, or it raises
    (work / NETWORK).write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in own.items()}
    np.savez(work / WEIGHTS, **arrays)
    return int(slim["global_step"])


def build(network: Network) -> Any:
    """The network in evaluation mode, with weights of no meaning yet."""
    from allegro.model import AllegroModel
    from nequip.model import NequIPGNNModel
    from nequip.utils.global_state import set_global_state

    set_global_state(allow_tf32=False)
    config = model_config(network.training, dict.fromkeys(network.elements, 0.0))
    del config["_target_"]
    # the scales are among the weights: one for all, or those of the elements from a package
    scales = dict.fromkeys(network.elements, 1.0) if network.training.fine_tune else 1.0
    config |= {"avg_num_neighbors": network.avg_num_neighbors, "per_type_energy_scales": scales}
    builder = {"nequip": NequIPGNNModel, "allegro": AllegroModel}[network.training.architecture]
    return builder(**config).eval()


def read(folder: Path) -> tuple[Network, Any]:
    """The network that `export` left in a folder, which may be a stranger's: data, checked.

    Raises StageError if a file is missing or damaged, or if they do not fit each other.
    """
    import torch

    network = read_network(folder / NETWORK)
    try:
        model = build(network)
    except (AssertionError, ValueError, RuntimeError, LookupError, MemoryError) as error:
        raise StageError(f"{NETWORK} describes no model that can be built: {error}") from error
    state = model.state_dict()
    found = _read_arrays(folder / WEIGHTS, {name: tensor.numpy() for name, tensor in state.items()})
    model.load_state_dict({name: torch.from_numpy(array) for name, array in found.items()})
    return network, model


def read_network(path: Path) -> Network:
    """model.json. Raises StageError if it is missing, or holds anything but a Network."""
    try:
        return Network.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = f"{place}: {first['msg']}" if place else first["msg"]
        raise StageError(f"{path.name} describes no model: {reason}") from None
    except (SpecError, OSError) as error:
        raise StageError(f"{path.name} describes no model: {error}") from error


def _read_arrays(path: Path, expected: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays of an npz, which must have the names, shapes and types of `expected`."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if members.keys() != expected.keys():
                name = min(members.keys() ^ expected.keys())
                verb = "lacks" if name in expected else "holds also"
                raise StageError(f"{path.name} is not of this network: it {verb} {name}")
            return {
                name: _read_array(archive, members[name], array, f"{path.name}: {name}")
                for name, array in expected.items()
            }
    except (
        OSError,
        ValueError,
        EOFError,
        RuntimeError,  # an encrypted member; NotImplementedError: an unknown compression
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise StageError(f"{path.name} holds no weights: {error}") from error


def _read_array(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, like: NDArray[Any], what: str
) -> NDArray[Any]:
    if member.file_size > like.nbytes + _HEADER:
        raise StageError(f"{what} has {member.file_size} bytes, the network needs {like.nbytes}")
    with archive.open(member) as stream:
        found: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    if (found.shape, found.dtype) != (like.shape, like.dtype):
        raise StageError(
            f"{what} is {found.dtype} {found.shape}, the network needs {like.dtype} {like.shape}"
        )
    return found
