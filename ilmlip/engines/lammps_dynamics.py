"""Lines of LAMMPS input for dynamics: minimisation, NPT with ramps, squeezing, NVT, NVE."""

from __future__ import annotations

from dataclasses import dataclass

from ilmlip.engines.lammps import ps

MINIMISE_STEPS = 1000
SETTLE_STEPS = 500
"""Steps of limited, damped motion ahead of a minimisation, which may stall on a rough start."""
LONGEST_MOVE = 0.05
"""Å a step, in that limited motion."""
SQUEEZES = 20
"""Runs over which a box is brought to its density: PPPM is set up anew for each."""


@dataclass(frozen=True)
class Clock:
    """Time step and damping times of the thermostat and barostat, fs."""

    timestep: float
    thermostat: float
    barostat: float

    def steps(self, fs: float) -> int:
        """Whole time steps in a duration, at least one."""
        return max(1, round(fs / self.timestep))


def minimise(clock: Clock, seed: int) -> list[str]:
    """Energy minimisation, after a few steps of limited motion at 1 K; velocities are drawn anew."""
    return [
        "fix limit all nve/limit " + f"{LONGEST_MOVE:g}",
        f"fix damp all langevin 1.0 1.0 {ps(clock.thermostat)} {seed}",
        f"run {SETTLE_STEPS}",
        "unfix damp",
        "unfix limit",
        "min_style cg",
        f"minimize 1.0e-8 1.0e-6 {MINIMISE_STEPS} {10 * MINIMISE_STEPS}",
    ]


def velocities(temperature: float, seed: int) -> list[str]:
    """Maxwell–Boltzmann velocities without net momentum."""
    return [f"velocity all create {temperature:g} {seed} mom yes rot no dist gaussian"]


def npt(
    clock: Clock,
    duration: float,
    temperature: tuple[float, float],
    pressure: tuple[float, float],
    parts: int = 4,
) -> list[str]:
    """Isotropic NPT with linear ramps (K, bar), in several runs so that PPPM follows the box."""
    steps = clock.steps(duration)
    parts = min(parts, steps)
    lines = []
    for i in range(parts):
        share = steps * (i + 1) // parts - steps * i // parts
        t = [_between(temperature, (i + j) / parts) for j in (0, 1)]
        p = [_between(pressure, (i + j) / parts) for j in (0, 1)]
        lines += [
            f"fix npt all npt temp {t[0]:.6g} {t[1]:.6g} {ps(clock.thermostat)} "
            f"iso {p[0]:.6g} {p[1]:.6g} {ps(clock.barostat)}",
            f"run {share}",
            "unfix npt",
        ]
    return lines


def squeeze(clock: Clock, length: float, duration: float, temperature: float) -> list[str]:
    """Bring a cubic box to edges of `length` Å by equal factors, thermostatted."""
    share = max(1, clock.steps(duration) // SQUEEZES)
    lines = [f"variable factor equal $(({length:.15g}/lx)^(1.0/{SQUEEZES}))"]
    for _ in range(SQUEEZES):
        lines += [
            "fix box all deform 1 x scale ${factor} y scale ${factor} z scale ${factor} remap x",
            f"fix nvt all nvt temp {temperature:g} {temperature:g} {ps(clock.thermostat)}",
            f"run {share}",
            "unfix nvt",
            "unfix box",
        ]
    return lines


def nvt(clock: Clock, duration: float, temperature: float, parts: int = 1) -> list[str]:
    """NVT by a Nosé–Hoover chain, which begins anew in each part."""
    steps = clock.steps(duration)
    lines = []
    for i in range(parts):
        lines += [
            f"fix nvt all nvt temp {temperature:g} {temperature:g} {ps(clock.thermostat)}",
            f"run {steps * (i + 1) // parts - steps * i // parts}",
            "unfix nvt",
        ]
    return lines


def nve(clock: Clock, duration: float) -> list[str]:
    """Dynamics at constant energy."""
    return ["fix nve all nve", f"run {clock.steps(duration)}", "unfix nve"]


def _between(ends: tuple[float, float], part: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * part
