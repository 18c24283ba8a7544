"""Write a whole study as native inputs and scripts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ilmlip.errors import SpecError
from ilmlip.export import quantum
from ilmlip.export.layout import STAGES, Layout, lay_out, step_of
from ilmlip.export.learning import Learning
from ilmlip.export.readme import readme
from ilmlip.export.scripts import ALL, Job, run_all, script
from ilmlip.export.simulation import PREPARED, Simulations, is_native, prepare
from ilmlip.grammar import counted, plural
from ilmlip.plan.cost import cost
from ilmlip.plan.graph import Plan, State
from ilmlip.spec.types import Spec
from ilmlip.stages import stage
from ilmlip.store import Store

TOOLS = Path(__file__).parent / "tools"
TABLES = ("matrix", "ion_energies", "parity", "findings", "paper", "scan")


def write_export(
    plan: Plan, specs: Sequence[Spec], folder: Path, store: Store | None = None
) -> list[str]:
    """Write the study of `plan`, compiled from `specs`, into `folder`; returns notes for the user.

    Only the force field and the packing are computed. `store` is read for the times that
    tasks took, from which the scripts' time limits follow. Raises SpecError if the folder holds
    something or cannot be written, and StageError if the ions cannot be packed.
    """
    refuse_taken(folder)
    refuse_series(plan)
    with TemporaryDirectory() as scratch:
        prepared = prepare(plan, Path(scratch))
        layout = lay_out(plan)
        notes = notes_on(plan, specs, layout)
        try:
            simulations = Simulations(plan, layout, prepared, folder)
            simulations.write()
            Learning(plan, layout, simulations, folder).write()
            steps = [step for step in STAGES if (folder / step).is_dir()]
            _write_scripts(plan, specs, steps, folder, store)
            shutil.copytree(TOOLS, folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
            labels = quantum.section(layout.series.values())
            (folder / "README.md").write_text(
                readme(plan, specs, steps, notes, labels), encoding="utf-8"
            )
        except OSError as error:
            raise SpecError(
                "command line",
                f"{folder} cannot be written ({error.strerror}); name another folder",
            ) from error
    return notes


def refuse_taken(folder: Path) -> None:
    """Raise SpecError unless the folder is new or empty."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SpecError("command line", f"{folder} is a file; name a new or an empty folder")
    holds = sorted(path.name for path in folder.iterdir())
    if holds:
        shown = ", ".join(holds[:3]) + (", …" if len(holds) > 3 else "")
        raise SpecError(
            "command line",
            f"{folder} is not empty (it holds {shown}); name a new or an empty folder, "
            "or empty this one",
        )


def refuse_series(plan: Plan) -> None:
    """Raise SpecError for what the scripts cannot make, such as frames of a model's own run."""
    for task in plan:
        if task.stage == "crystal":
            raise SpecError(
                "system.crystal", "cells of a crystal cannot be exported; `run` makes them"
            )
        if task.stage == "imported":
            raise SpecError("dft.engine", "is files: imported labels cannot be exported")
        if task.stage == "explore":
            raise SpecError(
                "dataset.active",
                "learns on the fly, or scans frames of a model's own run (dataset=…_md_vs), which "
                "cannot be exported; set dataset.active=null",
            )
        if task.stage == "md_frames":
            raise SpecError(
                "ensemble.validate_frames",
                "labels frames of the models' own runs, which cannot be exported; set it to 0",
            )
        if task.stage == "train" and "path" in task.how:
            raise SpecError(
                "model.fine_tune",
                "starts from a packaged model, which an export does not carry; `run` fine-tunes",
            )


def notes_on(plan: Plan, specs: Sequence[Spec], layout: Layout) -> list[str]:
    """What an export does not hold, or does otherwise than a run of ilmlip."""
    there = {task.stage for task in plan}
    bare: dict[str, list[str]] = {}
    for folder, series in layout.series.items():
        if not is_native(series):
            bare.setdefault(series.engine, []).append(str(folder))
    notes = [_without_input(engine, folders) for engine, folders in bare.items()]
    if any(series.moves and not is_native(series) for series in layout.series.values()):
        notes.append(
            "Dynamics and relaxations (folders with steps.json) by other programs than pw.x: run what "
            "engine.json says from each of frames.extxyz, and write the steps that steps.json names "
            "of each, frame by frame, as labelled.extxyz."
        )
    known = {*PREPARED, *TABLES, *(name for names in STAGES.values() for name in names)}
    for name in sorted(there - known):
        number = sum(task.stage == name for task in plan)
        notes.append(
            f"{counted(number, 'task')} of stage {name} {plural(number, 'is')} not exported."
        )
    if "matrix" in there:
        notes.append(
            "The medians over seeds, the standard errors, the table of energies per ion and all "
            "figures: 6-evaluate/errors.csv holds one row per seed, without them."
        )
    if "findings" in there:
        notes.append("The test of the study's findings (analysis.findings).")
    if any(s.engine == quantum.ENGINE for s in layout.series.values()) and any(
        spec.dft.retries for spec in specs
    ):
        notes.append(
            "The retries of labels that do not converge (dft.retries): these scripts stop at one."
        )
    if any(spec.dataset.quorum < 1 for spec in specs):
        notes.append(
            "The quorum: ilmlip continues when a few labels fail (dataset.quorum), these scripts stop."
        )
    return notes


def _without_input(engine: str, folders: Sequence[str]) -> str:
    """What to do about labels that no script makes, once for all folders of an engine."""
    number = len(folders)
    return (
        f"Labels by {engine} have no native input ({counted(number, 'folder')}: {', '.join(folders)}). "
        f"The script writes frames.extxyz in {'each' if number > 1 else 'it'}, and engine.json holds "
        "the settings. Label the frames with your own program and write labelled.extxyz (energy eV, "
        "forces eV/Å, stress eV/Å³; the other columns as they are)."
    )


def _write_scripts(
    plan: Plan, specs: Sequence[Spec], steps: Sequence[str], folder: Path, store: Store | None
) -> None:
    jobs = make_jobs(plan, specs, steps, store or Store(folder))  # a folder without results
    last = Job(
        plan.study,
        ALL.removesuffix(".sh"),
        max((job.cores for job in jobs), default=1),
        sum(job.seconds for job in jobs),
        all(job.measured for job in jobs),
    )
    texts = {f"{job.name}.sh": script(job) for job in jobs} | {ALL: run_all(last, list(steps))}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)


def cores(step: str, specs: Sequence[Spec]) -> int:
    """Cores of a step: the most that one of its stages takes, as the first spec's cluster says."""
    found: list[int] = []
    for name in STAGES[step]:
        limits = [given.cores for key, given in specs[0].cluster.stages.items() if key == name]
        found += [number for number in limits if number] or [stage(name).resources.cores]
    return max(found)


def make_jobs(plan: Plan, specs: Sequence[Spec], steps: Sequence[str], store: Store) -> list[Job]:
    """The job of each step, with the time of all its tasks one after the other."""
    jobs = []
    for step in steps:
        # only what this step does counts
        states: dict[str, State] = {
            task.key: "todo" if step_of(task) == step else "cached" for task in plan
        }
        own = list(cost(plan, states, store, {}).stages.values())
        total, measured = sum(one.seconds for one in own), all(one.learned for one in own)
        jobs.append(Job(plan.study, step, cores(step, specs), total, measured))
    return jobs
