"""Rounds of learning on the fly: a line a round, and the errors against the number of labels."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilmlip.grammar import counted
from ilmlip.report.always import always_drawn
from ilmlip.report.dataset import markdown
from ilmlip.report.heatmap import three_digits, ticks

TABLE, PAGE, FIGURE = "active.csv", "active.md", "active.png"


@dataclass(frozen=True)
class Turn:
    """One round at one composition. Errors and spreads in meV/Å, an error with its standard error."""

    choose: str
    training: str
    composition: str
    number: int
    labels: int
    """Labelled frames that its models were trained and validated on."""
    chosen: int
    """Frames that it added for the next round."""
    in_dynamics: tuple[float, float] | None
    """MAE of force components over the checked frames of its run; standard error over frames."""
    in_testing: tuple[float, float] | None
    """The same on the test frames, mean over the members; standard error over them."""
    checked: int
    largest_spread: float
    mean_spread: float
    steps: tuple[int, int]
    """Done, and of how many."""
    reason: str
    """Why the run ended early."""
    stopped: bool

    def name(self) -> str:
        """`spread, 0.4+0.6 at x = 0.4`."""
        return f"{self.choose}, {self.training} at x = {self.composition}"


def write_csv(path: Path, turns: Sequence[Turn]) -> None:
    """A line a round."""
    names = [
        "choose", "training", "composition", "round", "labels", "chosen", "force_mae_in_dynamics",
        "force_mae_in_dynamics_stderr", "force_mae_in_testing", "force_mae_in_testing_stderr",
        "checked", "largest_spread", "mean_spread", "steps", "of_steps", "reason", "stopped",
    ]  # fmt: skip
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        for one in turns:
            errors = [*(one.in_dynamics or ("", "")), *(one.in_testing or ("", ""))]
            shown = [f"{v:.6g}" if isinstance(v, float) else v for v in errors]
            spreads = [f"{one.largest_spread:.6g}", f"{one.mean_spread:.6g}"]
            about = [one.choose, one.training, one.composition, one.number, one.labels, one.chosen]
            end = [*one.steps, one.reason, str(one.stopped).lower()]
            writer.writerow([*about, *shown, one.checked, *spreads, *end])


def page(turns: Sequence[Turn], lacking: int) -> str:
    """For people: a line a round, and what a column means."""
    rows = []
    for one in turns:
        done, of = one.steps
        ended = "" if done == of else f"step {done} of {of}: {one.reason}"
        rows.append(
            [
                one.name(),
                str(one.number),
                str(one.labels),
                _with_error(one.in_dynamics),
                _with_error(one.in_testing),
                three_digits(one.largest_spread),
                three_digits(one.mean_spread),
                "stopped" if one.stopped else str(one.chosen),
                ended,
            ]
        )
    head = ["frames chosen by", "round", "labels", "in dynamics", "in testing", "largest spread"]
    head += ["mean spread", "chosen", "run ended early"]
    left = ""
    if lacking:
        left = f"\n{counted(lacking, 'round')} did not run: an earlier one had stopped, or a task "
        left += "failed.\n"
    return (
        "# Learning on the fly\n\n"
        "Mean absolute errors of force components, meV/Å: in dynamics on labelled frames of the "
        "round's own run, equally spaced, which no model was trained on (± standard error over "
        "frames; frames of one run are not independent); in testing on the test frames of that "
        "composition (mean over the committee, ± standard error over its members). The spread of a "
        "frame is the committee's largest standard deviation of the force on an atom; its largest "
        f"and mean over the frames of the run.\n\n{markdown(head, rows)}\n{left}\n"
        f"![Errors against labels]({FIGURE})\n"
    )


def _with_error(value: tuple[float, float] | None) -> str:
    return "–" if value is None else f"{three_digits(value[0])} ± {value[1]:.2g}"


@always_drawn
def draw(path: Path, turns: Sequence[Turn]) -> None:
    """Errors in dynamics and in testing, and spreads, against the number of labels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(11.4, 3.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    titles = ("In the models' own dynamics", "On the test frames", "Spread of the committee")
    ways: dict[str, list[Turn]] = {}
    shown: dict[Any, list[float]] = {axis: [] for axis in axes}
    for one in turns:
        ways.setdefault(one.name(), []).append(one)
    for name, own in ways.items():
        for axis, values in (
            (axes[0], [one.in_dynamics for one in own]),
            (axes[1], [one.in_testing for one in own]),
            (axes[2], [(one.largest_spread, 0.0) for one in own]),
        ):
            points = [
                (one.labels, *value)
                for one, value in zip(own, values, strict=True)
                if value is not None
            ]
            if points:
                labels, means, errors = zip(*points, strict=True)
                shown[axis] += [mean for mean in means if 0 < mean < math.inf]
                axis.errorbar(labels, means, errors, fmt="o-", markersize=4, capsize=2, label=name)
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_xlabel("Labelled frames")
        axis.set_yscale("log")
        axis.minorticks_off()
        if shown[axis]:
            marks = ticks(min(shown[axis]), max(shown[axis]))
            axis.set_yticks(marks, [three_digits(mark) for mark in marks])
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.2)
    axes[0].set_ylabel("MAE of forces / meV Å$^{-1}$")
    axes[2].set_ylabel("Largest spread of a force / meV Å$^{-1}$")
    handles, names = axes[2].get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=8
        )
    figure.savefig(path, dpi=130, metadata={"Software": None})
