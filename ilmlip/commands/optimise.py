"""`ilmlip run -m hydra/sweeper=optuna …`: points that a sweeper of Hydra's chooses, by an objective."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from ilmlip.commands import FAILED, OK
from ilmlip.commands.common import answer, checked, say
from ilmlip.commands.run import answer_of, print_ended
from ilmlip.commands.size import ask
from ilmlip.errors import SpecError
from ilmlip.plan.compile import plan_of
from ilmlip.report.matrix import read_csv
from ilmlip.report.sweep import objective
from ilmlip.run import Ended, run_study
from ilmlip.spec.compose import has_sweep, one_line
from ilmlip.spec.load import load_study
from ilmlip.spec.mixtures import composition_label, set_label
from ilmlip.spec.study import Point, Study
from ilmlip.spec.types import Spec
from ilmlip.store import Store

SWEEPER = ("hydra/sweeper=", "hydra.sweeper.")
"""How the words begin that are for the sweeper."""


def optimise(options: Namespace) -> int:
    """Run the batches of a sweeper until it ends; every batch is part of one growing study."""
    settings = [word for word in options.words if word.startswith(SWEEPER)]
    if not options.multirun:
        raise SpecError(f"command line: {settings[0]}", "add -m to let a sweeper choose points")
    words = [word for word in options.words if word not in settings]
    swept = [word for word in words if "=" in word and has_sweep(word)]
    fixed = [word for word in words if word not in swept]
    if any("_target_" in word for word in settings):
        raise SpecError("command line", "a sweeper is chosen by name: hydra/sweeper=optuna")
    first = load_study(fixed, allow=options.allow)
    if len(first.points) > 1:
        raise SpecError(
            "sweep", "stands in the file; a sweeper wants its fields on the command line"
        )
    if first.spec.analysis.objective is None:
        raise SpecError(
            "analysis.objective",
            "is missing; say what to minimise: analysis.objective.quantity=force_mae",
        )
    batches = _Batches(options, fixed)
    folder = Path(first.spec.store) / "studies" / first.spec.name
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(settings, swept, folder, batches)
    if batches.ended is None:
        raise SpecError("command line", "the sweeper asked for no point")
    study = Study(tuple(batches.points))
    if options.json:
        best = min(batches.values, default=None, key=lambda pair: pair[1])
        chosen = (
            None if best is None else {"swept": dict(study.points[best[0]].swept), "value": best[1]}
        )
        answer(answer_of(study, batches.ended) | {"best": chosen})
    else:
        print_ended(study, batches.ended)
        for index, value in sorted(batches.values, key=lambda pair: pair[1])[:1]:
            print(f"best: {study.points[index].label()}: {value:.6g}")
    return OK if batches.ended.ok else FAILED


class _Batches:
    """Runs batch after batch; all points so far are one study, so that nothing runs twice."""

    def __init__(self, options: Namespace, fixed: list[str]) -> None:
        self.options, self.fixed = options, fixed
        self.points: list[Point] = []
        self.values: list[tuple[int, float]] = []
        """Index of each point that has an objective, and that."""
        self.ended: Ended | None = None

    def __call__(self, batch: Sequence[Sequence[str]]) -> list[float | None]:
        start = len(self.points)
        for overrides in batch:
            study = load_study([*self.fixed, *overrides], allow=self.options.allow)
            values = dict(word.split("=", 1) for word in overrides)
            self.points.append(Point(study.spec, values))
        study = Study(tuple(self.points))
        plan = plan_of(study)
        checked(study, plan, self.options.strict)
        ask(study, plan, Store(Path(study.spec.store)), self.options)
        self.ended = run_study(study, plan)
        for message in self.ended.messages:
            say(message)
        found = []
        for index in range(start, len(self.points)):
            value = objective_of(self.points[index].spec, self.ended.points[index])
            found.append(value)
            if value is not None:
                self.values.append((index, value))
        return found


def objective_of(spec: Spec, outputs: dict[str, str]) -> float | None:
    """What a point's matrix says of the objective; None if it failed or has no such number."""
    asked = spec.analysis.objective
    if asked is None or "matrix" not in outputs:
        return None
    model = None if asked.training is None else set_label(asked.training)
    x = None if asked.composition is None else composition_label(asked.composition)
    return objective(read_csv(Path(outputs["matrix"])), asked.quantity, model, x)


def _sweep(settings: list[str], swept: list[str], folder: Path, batches: _Batches) -> None:
    try:
        from hydra_plugins.ilmlip_launcher.launcher import sweep
    except ImportError as error:
        raise SpecError("command line", f"Hydra's launcher is not installed: {error}") from None
    try:
        sweep(settings, swept, folder, batches)
    except (SpecError, KeyboardInterrupt):
        raise
    except Exception as error:  # a sweeper is a plug-in: whatever it says of its settings
        if isinstance(error.__cause__, SpecError):
            raise error.__cause__ from None
        raise SpecError(f"command line: {' '.join(settings)}", one_line(error)) from None
