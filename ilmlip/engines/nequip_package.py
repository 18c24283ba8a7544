"""Models that leave the store: nequip's own package, and its compiled form.

Both commands open a checkpoint as nequip does, which runs what is written in it. So the checkpoint
is read as plain values first (nequip_weights.strip), and it may name nothing to make but what
the config of its training names.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ilmlip.engines.nequip_config import MODEL_NAME, TRAIN_FILE, VAL_FILE, training_config
from ilmlip.engines.process import execute
from ilmlip.errors import StageError
from ilmlip.private import need
from ilmlip.spec.model import Training

PACKAGE = f"{MODEL_NAME}.nequip.zip"
"""The packaged model: code and weights in one file, which any nequip of this version opens."""
COMPILED = f"{MODEL_NAME}.nequip.pt2"
"""The compiled model: machine code for ASE and the processor that it was compiled on."""

_CHECKPOINT = f"{MODEL_NAME}.ckpt"
_DATA = (TRAIN_FILE, VAL_FILE)
_PACKAGE_LOG, _COMPILE_LOG = "nequip-package.log", "nequip-compile.log"
_ERRORS = ("Error:", "Error(", "Exception:")


def compiler() -> str | None:
    """The C++ compiler that torch would take, or None if there is none on this machine."""
    usual = "clang++" if sys.platform == "darwin" else "g++"
    return shutil.which(os.environ.get("CXX") or usual)


def lacks_compiler() -> str:
    """What is missing to compile, and the remedy; empty if it can be done."""
    if compiler() is not None:
        return ""
    named = os.environ.get("CXX")
    what = f"the C++ compiler that CXX names ({named})" if named else "a C++ compiler"
    return f"{what} is not there; install one (Debian: g++), or name it in CXX"


def package(model: Path, data: Path, work: Path) -> Path:
    """Make PACKAGE in `work` of what a training left in `model` and the frames that it had.

    nequip puts one of the frames in, for whoever compiles the package. Raises StageError.
    """
    _gather(model, data, work)
    _run("nequip-package", ["build", _CHECKPOINT, PACKAGE], work, _PACKAGE_LOG)
    return _left(work / PACKAGE, _PACKAGE_LOG)


def compiled(model: Path, data: Path, work: Path, target: str = "ase") -> Path:
    """Make COMPILED in `work`, likewise, for ASE or for LAMMPS (`pair_nequip`, `pair_allegro`).

    Raises StageError, also where there is no compiler.
    """
    if lacks := lacks_compiler():
        raise StageError(lacks)
    _gather(model, data, work)
    options = ["--mode", "aotinductor", "--device", "cpu", "--target", target]
    _run("nequip-compile", [_CHECKPOINT, COMPILED, *options], work, _COMPILE_LOG)
    return _left(work / COMPILED, _COMPILE_LOG)


def _gather(model: Path, data: Path, work: Path) -> None:
    """A checkpoint that is safe to open, and the data files that it names, in the work folder."""
    from ilmlip.engines import nequip_weights

    network = nequip_weights.read_network(model / nequip_weights.NETWORK)
    try:
        shutil.copyfile(model / _CHECKPOINT, work / _CHECKPOINT)
        held = nequip_weights.strip(work / _CHECKPOINT)
    except Exception as error:  # whatever torch raises for a file that holds more than values
        said = " ".join(str(error).split())[:300]
        raise StageError(f"{_CHECKPOINT} is no checkpoint of plain values: {said}") from error
    check_targets(held["hyper_parameters"], network.training, network.elements)
    for name in _DATA:
        shutil.copyfile(data / name, work / name)


def check_targets(held: Any, training: Training, elements: Sequence[str]) -> None:
    """Raise StageError if a checkpoint's config would make anything that its training does not."""
    shifts = dict.fromkeys(elements, 0.0)
    own = training.model_copy(update={"fine_tune": None})  # what was fine-tuned names no package
    known = set(_targets(training_config(own, shifts, some_stress=True)))
    strange = sorted(set(_targets(held)) - known)
    if strange:
        raise StageError(f"{_CHECKPOINT} names {strange[0]}, which no training of ours does")


def _targets(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        if "_target_" in data:
            yield str(data["_target_"])
        data = list(data.values())
    if isinstance(data, (list, tuple)):
        for value in data:
            yield from _targets(value)


def _run(program: str, words: list[str], work: Path, log: str) -> None:
    path = Path(sys.executable).with_name(program)
    environment = {
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "TORCHINDUCTOR_CACHE_DIR": str(work / "inductor"),  # else it stays in /tmp
    }
    execute([str(path), *words], work, log, environment=environment, errors=_ERRORS)


def _left(path: Path, log: str) -> Path:
    if not path.is_file():
        raise StageError(f"{shlex.quote(path.name)} was not written", log=log)
    return path


def calculator(path: Path, *, packaged: bool) -> Any:
    """nequip's calculator for ASE of a packaged or a compiled model: this runs the code in it."""
    from nequip.integrations.ase import NequIPCalculator

    need(NequIPCalculator, "_from_saved_model")
    read = NequIPCalculator._from_saved_model if packaged else NequIPCalculator.from_compiled_model
    return read(str(path), chemical_species_to_atom_type_map=True)
