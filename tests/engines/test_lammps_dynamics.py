"""Lines of dynamics: durations add up, ramps are linear, times are in LAMMPS's unit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ilmlip.engines.lammps_dynamics import SQUEEZES, Clock, npt, nve, nvt, squeeze

CLOCK = Clock(timestep=0.5, thermostat=100.0, barostat=1000.0)


def steps(lines: list[str]) -> int:
    return sum(int(line.split()[1]) for line in lines if line.startswith("run "))


@given(st.floats(1.0, 1e6), st.floats(0.1, 5.0), st.integers(1, 30))
def test_the_parts_of_a_stretch_add_up(duration: float, timestep: float, parts: int) -> None:
    clock = Clock(timestep, 100.0, 1000.0)
    lines = npt(clock, duration, (1.0, 300.0), (2.0, 100.0), parts)
    assert steps(lines) == clock.steps(duration) >= 1
    assert sum(line.startswith("fix npt") for line in lines) == sum(
        line == "unfix npt" for line in lines
    )


def test_a_ramp_is_linear_over_the_parts() -> None:
    lines = npt(CLOCK, 1000.0, (100.0, 300.0), (0.0, 40.0), 4)
    ramps = [line for line in lines if line.startswith("fix")]
    assert ramps == [
        f"fix npt all npt temp {a} {a + 50} 0.1 iso {p} {p + 10} 1"
        for a, p in ((100, 0), (150, 10), (200, 20), (250, 30))
    ]


def test_times_are_in_ps_and_steps_whole() -> None:
    assert nvt(CLOCK, 1000.0, 300.0) == [
        "fix nvt all nvt temp 300 300 0.1", "run 2000", "unfix nvt",
    ]  # fmt: skip
    assert steps(nve(CLOCK, 1000.0)) == 2000
    assert CLOCK.steps(0.1) == 1


def test_a_squeeze_is_many_short_runs() -> None:
    """PPPM's grid must follow a box that shrinks by much."""
    lines = squeeze(CLOCK, 10.0, 1000.0, 300.0)
    assert sum(line.startswith("run") for line in lines) == SQUEEZES
    assert steps(lines) == 2000
