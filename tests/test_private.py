"""Private attributes of other packages: each is there and means what ilmlip takes it for.

A release that drops or changes one fails here, or in the tests of engines named at the table's end.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.units import kB
from engines.test_model_dynamics import Springs
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import ilmlip
from ilmlip.engines import integrators, model_dynamics, moves
from ilmlip.errors import StageError
from ilmlip.private import BAROSTAT_CHAIN, CELL, CHAIN, PRIVATE, need
from ilmlip.spec import compose
from ilmlip.spec.ensemble import Run
from ilmlip.units import BAR

PACKAGE = Path(ilmlip.__file__).parent
NVT = Run(kind="nvt", temperature=60.0, timestep=2.0, duration=400.0, thermostat_time=40.0)
NPT = Run(
    kind="npt", temperature=60.0, timestep=2.0, duration=400.0, pressure=100.0,
    thermostat_time=40.0, barostat_time=200.0,
)  # fmt: skip
KNOWN = {name for one in PRIVATE for name in one.names}


def accesses(path: Path) -> set[str]:
    """Underscore names of other packages' objects that a module touches.

    Attributes of what is not `self` or `cls` and not defined in the module, the same by getattr,
    keys of dictionaries, and imports of private modules or names.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            own.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                own.add(node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            own.add(node.target.id)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            mine = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not (mine or node.attr in own):
                found.add(node.attr)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "getattr", "setattr", "hasattr", "delattr",
        ):  # fmt: skip
            found |= {a.value for a in node.args[1:2] if isinstance(a, ast.Constant)}
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            found.add(str(node.slice.value))
        elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("ilmlip"):
            found |= {*(node.module or "").split("."), *(alias.name for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {part for alias in node.names for part in alias.name.split(".")}
    return {name for name in found if is_private(name)}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("_") and len(name) > 1


def sources() -> list[Path]:
    return sorted([*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "hydra_plugins").rglob("*.py")])


def test_every_private_name_that_is_touched_is_in_the_table() -> None:
    modules = {part for one in PRIVATE for part in one.owner.split(".") if is_private(part)}
    found = {
        f"{path.relative_to(PACKAGE.parent)}: {name}"
        for path in sources()
        for name in accesses(path) - KNOWN - modules
    }
    assert not found, "add it to ilmlip/private.py with a test here, or do without"


def test_the_search_finds_what_it_should(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(
        "import a._b\nfrom c import _d\nfrom __future__ import annotations\nx._e = 1\n"
        "getattr(x, '_f')\nx['_g']\nx.__dict__\nx['_target_']\nself._h\n"
        "class A:\n    def __init__(self):\n        self._i = 1\ny._i\nsetattr(x, '_j', 1)\n",
        encoding="utf-8",
    )
    assert accesses(path) == {"_b", "_d", "_e", "_f", "_g", "_j"}


def test_nothing_in_the_table_is_unused() -> None:
    by_table = {*CELL, *CHAIN, *BAROSTAT_CHAIN}  # what `state` and `restore` go through
    assert KNOWN & (by_table | {name for path in sources() for name in accesses(path)}) == KNOWN


@pytest.mark.parametrize("one", PRIVATE, ids=lambda one: one.owner.rpartition(".")[2])
def test_the_owner_is_there_and_names_its_attributes(one: Any) -> None:
    """On the class, or by a word of its own in the source of the class and its bases."""
    module, _, name = one.owner.rpartition(".")
    owner = getattr(importlib.import_module(module), name)
    text = "".join(
        inspect.getsource(base)
        for base in owner.__mro__
        if base.__module__.partition(".")[0] == module.partition(".")[0]
    )
    assert all(hasattr(owner, n) or f"self.{n}" in text for n in one.names)


def test_what_is_missing_is_named() -> None:
    """Not AttributeError, nor a new attribute that nothing reads."""

    class Barostat:
        __module__ = "ase.md.other"

    with pytest.raises(
        StageError, match=r"ase\.md\.other\..*Barostat has no attribute _pressure_au"
    ):
        integrators.set_pressure(Barostat(), 1.0)
    with pytest.raises(StageError, match=r"constraints.txt"):
        need(Atoms(), "_nothing")


# --- ASE's integrators


def argon(temperature: float = 60.0) -> Atoms:
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True) * (2, 2, 2)
    atoms.calc = Springs(atoms, 0.05)
    moves.start_velocities(atoms, temperature, 3)
    return atoms


def test_the_pressure_of_a_ladder_is_what_the_barostat_holds() -> None:
    """Two kbar more push back on the cell with 3 V ΔP for the time of a step."""
    movers = [integrators.integrator(argon(), NPT) for _ in range(2)]
    integrators.set_pressure(movers[1], 100.0 + 2000.0)
    volume = movers[0].atoms.get_volume()
    for mover in movers:
        mover.step()
    pushed = (
        integrators.state(movers[1])["mover_p_eps"] - integrators.state(movers[0])["mover_p_eps"]
    )
    assert pushed == pytest.approx(-3 * volume * 2000 * BAR * movers[0].dt, rel=0.05)


def test_an_integrator_without_its_pressure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that keeps the pressure elsewhere, or in another unit."""
    from ase.md import nose_hoover_chain

    class Renamed(nose_hoover_chain.IsotropicMTKNPT):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._pressure_au = self._pressure_au / BAR

    monkeypatch.setattr(nose_hoover_chain, "IsotropicMTKNPT", Renamed)
    with pytest.raises(StageError, match="does not hold its pressure in _pressure_au"):
        integrators.integrator(argon(), NPT)


@pytest.mark.parametrize("made", [NVT, NPT], ids=lambda made: made.kind)
def test_three_degrees_of_freedom_are_not_counted(made: Run) -> None:
    """At exactly T by 3n − 3 the thermostat's first push is none; by 3n it would heat."""
    atoms = argon(60.0)
    thermostat = integrators.integrator(atoms, made)._thermostat
    thermostat.integrate_nhc(atoms.get_momenta(), 1e-6)
    push = thermostat._p_eta[0] / 1e-6
    assert abs(push) < 0.01 * 3 * kB * 60
    assert thermostat._Q[0] == pytest.approx(3 * 31 * kB * 60 * thermostat._tdamp**2)
    assert thermostat._tdamp == pytest.approx(40 * 0.09822694788464063)  # fs in ASE's unit


def test_the_barostat_counts_the_same() -> None:
    """Its own kinetic term is Σp²/m over the number of atoms less one."""
    one, other = (integrators.integrator(argon(), NPT) for _ in range(2))
    other._num_atoms_global = 10**9
    twice = 2 * one.atoms.get_kinetic_energy()
    for mover in (one, other):
        mover.step()
    pushed = float(one._p_eps - other._p_eps)
    assert pushed == pytest.approx(twice / 31 * one.dt, rel=0.02)


@pytest.mark.parametrize("made", [NVT, NPT], ids=lambda made: made.kind)
def test_the_state_is_all_that_a_step_depends_on(made: Run) -> None:
    """A new integrator at the state goes on to the bit; without any part of it, it does not."""
    first = integrators.integrator(argon(), made)
    for _ in range(5):
        first.step()
    held = integrators.state(first)
    cell = {"mover_eps", "mover_p_eps", "mover_volume0", "mover_cell0"}
    chains = {"thermostat_eta", "thermostat_p_eta", "thermostat_Q"}
    baro = {"barostat_xi", "barostat_p_xi", "barostat_R"}
    expected = (
        {"positions", "momenta", "cell"} | chains | (cell | baro if made.kind == "npt" else set())
    )
    assert held.keys() == expected
    for _ in range(3):
        first.step()

    def went_on(state: Any) -> Any:
        mover = integrators.integrator(argon(), made)
        integrators.restore(mover, state)
        for _ in range(3):
            mover.step()
        return integrators.state(mover)

    whole = went_on(held)
    assert all(
        np.array_equal(whole[name], value) for name, value in integrators.state(first).items()
    )
    for name in sorted(held.keys() - {"cell"}):
        other = went_on({**held, name: held[name] + 1e-3 * (1 + np.abs(held[name]))})
        assert any(not np.array_equal(other[n], whole[n]) for n in whole)


def test_a_run_goes_through_these_integrators() -> None:
    assert "integrators.set_pressure(mover" in inspect.getsource(model_dynamics.run)


# --- CP2K's shell, as ASE runs it

SHELL = """import sys
print("* READY", flush=True)
for line in sys.stdin:
    if line.strip() == "VERSION":
        print("CP2K Shell Version: 7.0")
    print("* READY", flush=True)
    if line.strip() == "EXIT":
        break
"""


@pytest.mark.skipif(os.name != "posix", reason="the shell of ASE's CP2K is POSIX's")
def test_the_process_of_cp2k(tmp_path: Path) -> None:
    from ase.calculators.cp2k import CP2K

    (tmp_path / "shell.py").write_text(SHELL, encoding="utf-8")
    calculator = CP2K(command=f"exec {sys.executable} {tmp_path / 'shell.py'}")
    child = calculator._shell._child
    assert child.poll() is None
    child.kill()
    assert child.wait(60) < 0
    calculator._shell._child, calculator._shell.isready, calculator._shell = None, False, None
    calculator.close()


# --- Hydra, OmegaConf, nequip, Lightning


@given(st.lists(st.one_of(st.integers(), st.sampled_from(["x", "npt"])), max_size=4))
def test_the_values_of_an_override(values: list[Any]) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Override

    text = f"[{','.join(str(value) for value in values)}]"
    parsed = OverridesParser.create().parse_override(f"a.b={text}")
    assert Override._convert_value(parsed._value) == values
    assert Override._get_value_element_as_str(parsed._value) == text


def test_no_resolver_is_there_while_a_spec_is_read() -> None:
    config = OmegaConf.create({"home": "${oc.env:PATH}"})
    with compose._no_resolvers(), pytest.raises(OmegaConfBaseException):
        OmegaConf.to_container(config, resolve=True)
    assert OmegaConf.to_container(config, resolve=True) == {"home": os.environ["PATH"]}


def test_a_sweepers_context_takes_callbacks() -> None:
    from hydra._internal.callbacks import Callbacks
    from hydra.types import HydraContext

    fields = inspect.signature(HydraContext).parameters
    assert {"config_loader", "callbacks"} <= fields.keys()
    Callbacks(OmegaConf.create({})).on_multirun_start(OmegaConf.create({}))


@pytest.mark.engine
def test_a_packaged_model_is_opened_by_its_species() -> None:
    """What it predicts is tested where packages are made (tests/engines/test_nequip_package.py)."""
    from nequip.integrations.ase import NequIPCalculator

    fields = inspect.signature(NequIPCalculator._from_saved_model).parameters
    assert next(iter(fields)) == "model_path" and "chemical_species_to_atom_type_map" in fields


@pytest.mark.engine
def test_steps_of_a_checkpoint() -> None:
    """Lightning keeps the count under this key, reads it from there, and raises it as it goes on."""
    import torch
    from lightning.pytorch import LightningModule, Trainer

    loop = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False).fit_loop.epoch_loop
    state = loop.on_save_checkpoint()
    assert state["_batches_that_stepped"] == 0
    loop.on_load_checkpoint({**state, "_batches_that_stepped": 7})
    assert loop.on_save_checkpoint()["_batches_that_stepped"] == 7
    assert LightningModule and torch
