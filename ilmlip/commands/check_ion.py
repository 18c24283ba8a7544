"""`ilmlip check-ion`: whether an ion's data file is complete, sane, and runs."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from pathlib import Path

import numpy as np

from ilmlip.chemistry.check import BOND_RANGE, Finding, check
from ilmlip.chemistry.forcefield import scaled_forcefield, topology
from ilmlip.chemistry.ion import Ion, load_ion
from ilmlip.chemistry.ion_file import write_ion
from ilmlip.commands import FAILED, OK, WRONG
from ilmlip.commands.common import answer, say
from ilmlip.errors import SpecError, StageError
from ilmlip.spec.shipped import did_you_mean, options
from ilmlip.units import MEV, PS


def check_ion(namespace: Namespace) -> int:
    """Print what was found, a line a check; 0 fine, 1 the run failed, 2 the file is wrong."""
    file = _file(namespace.words)
    if not 0 < namespace.charge_scale <= 1:
        raise SpecError("--charge-scale", f"found {namespace.charge_scale:g}; give 0 < scale <= 1")
    ion = load_ion(file, draft=True)
    found = check(ion)
    wrong = [finding for finding in found if finding.level == "wrong"]
    if not wrong:
        found.append(_run(ion, namespace.charge_scale))
    _show(file, ion, found, namespace.json)
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        say(f"{file}: {wrong[0].where}: {wrong[0].text}{more}")
        return WRONG
    if namespace.write:
        write_ion(ion, Path(namespace.write))
        say(f"wrote {namespace.write}, with coordinates")
    return FAILED if found[-1].level == "failed" else OK


def _file(words: list[str]) -> Path:
    """The file that the command line names: a path, or a name in conf/ion."""
    if len(words) != 1:
        raise SpecError("check-ion", f"found {len(words)} words; give one file or shipped ion")
    name, known = words[0], options("ion")
    if name in known:
        return known[name]
    if not Path(name).is_file():
        raise SpecError(
            "check-ion",
            f"no such file: {name}; {did_you_mean(name, known)}give a .yaml file or a shipped ion: "
            f"{', '.join(known)}",
        )
    return Path(name)


def _run(ion: Ion, scale: float) -> Finding:
    """The ion's short run, as a finding."""
    if len(ion.atoms) == 1:
        return Finding("run", "ok", "one atom: nothing to run")
    from ilmlip.engines.lammps_alone import alone

    box = topology(scaled_forcefield({ion.name: ion}, scale), [ion.name])
    positions = np.array(ion.geometry().positions)
    try:
        with tempfile.TemporaryDirectory() as folder:
            run = alone(box, positions, Path(folder))
    except StageError as error:
        remedy = "look for a constant that is too large, or in another unit"
        return Finding("run", "failed", f"the run of the ion alone broke: {error.reason}; {remedy}")
    atoms = "-".join(ion.atoms[i].name for i in run.worst)
    text = (
        f"{run.duration / PS:g} ps NVE alone: energy fluctuates by {run.fluctuation / MEV:.3g} meV, "
        f"drifts by {run.drift / MEV:.2g} meV (each at most {run.tolerance / MEV:.3g}); "
        f"{atoms} within {run.stretch:.2f} Å of r₀ (at most {BOND_RANGE})"
    )
    if not run.conserves:
        return Finding("run", "failed", f"{text}; a constant is too large for a molecule")
    if run.stretch > BOND_RANGE:
        return Finding("run", "failed", f"{text}; a constant is too small, or others pull at it")
    return Finding("run", "ok", text)


def _show(file: Path, ion: Ion, found: list[Finding], as_json: bool) -> None:
    if as_json:
        checks = [{"check": f.check, "level": f.level, "found": f.text} for f in found]
        answer({"file": str(file), "ion": ion.name, "checks": checks})
        return
    width = max(len(finding.check) for finding in found)
    for finding in found:
        print(f"{finding.level:6}  {finding.check:{width}}  {finding.text}")
