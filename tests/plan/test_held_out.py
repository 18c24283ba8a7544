"""`compositions.test_structure: none`: no second structure, and tests on frames that are held out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ilmlip.chemistry.boxes import read, write
from ilmlip.chemistry.boxes import read_one as one_of
from ilmlip.errors import SpecError
from ilmlip.plan.compile import compile_study
from ilmlip.plan.graph import Plan
from ilmlip.spec.load import load
from ilmlip.stages import dataset
from ilmlip.stages.base import Given, Inputs

WORDS = (
    "system=fomim_c4f9co2", "compositions=fomim_c4f9co2", "sampling=npt", "dft=gfn1_xtb",
    "model.seeds=[1]", "model.linear=false", "dataset=opls",
)  # fmt: skip
FRAME = Path(__file__).parents[1] / "data" / "lipf6.extxyz"


def plan(*words: str) -> Plan:
    return compile_study([load([*WORDS, *words])])


def data(made: Plan, role: str):
    (found,) = (t for t in made if t.stage == "dataset" and t.about["role"] == role)
    return found


def test_it_halves_the_labels_and_the_sampling() -> None:
    counts = {
        name: Counter(task.stage for task in plan(f"compositions.test_structure={name}"))
        for name in ("independent", "none")
    }
    for stage in ("build", "equilibrate", "sample", "label"):
        assert counts["none"][stage] * 2 == counts["independent"][stage]
    assert counts["none"]["label"] == 180  # 60 at each of three temperatures, as in the paper


def test_what_is_tested_on_is_held_out_of_training_and_last_in_time() -> None:
    made = plan()
    trained, tested = data(made, "train"), data(made, "test")
    labels = list(trained.needs["labels"])
    held = [labels[i] for i in trained.params.held]
    assert held == list(tested.needs["labels"]) and len(held) == 3 * 12  # 80-20
    last: dict[str, int] = {}
    first: dict[str, int] = {}
    for key in labels:
        task = made.tasks[key]
        (trajectory,) = task.needs["trajectory"]
        if key in held:
            first[trajectory] = min(first.get(trajectory, task.params.frame), task.params.frame)
        else:
            last[trajectory] = max(last.get(trajectory, 0), task.params.frame)
    assert len(last) == 3 and all(last[t] < first[t] for t in last)


def test_scans_of_held_out_frames_are_tested_on_and_no_others() -> None:
    made = plan("dataset=aimd50_vs")
    trained, tested = data(made, "train"), data(made, "test")
    for role in ("aimd", "volume_scan"):
        keys = trained.needs[role]
        held = [
            k for k, n in zip(keys, trained.params.origins[role], strict=True)
            if n in trained.params.held
        ]  # fmt: skip
        assert held == list(tested.needs.get(role, ()))


def test_the_stage_validates_on_what_is_named(tmp_path: Path) -> None:
    labels = []
    for seed in range(5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        atoms = one_of(FRAME, 0)
        atoms.rattle(0.01, seed=seed)
        write(folder / "frame.extxyz", [_labelled(atoms, seed)])
        labels.append(Given(f"label-{seed}", folder, {}))
    params = dataset.Params(
        role="train", validation_fraction=0.4, origins={"labels": tuple(range(5))}, held=(3, 4)
    )
    dataset.run(params, Inputs({"labels": tuple(labels)}), tmp_path)
    energies = [a.get_potential_energy() for a in read(tmp_path / "val.extxyz")]
    assert energies == [3.0, 4.0]
    assert len(read(tmp_path / "train.extxyz")) == 3


def _labelled(atoms, energy: float):
    from ilmlip.chemistry.boxes import labelled

    return labelled(atoms, {"energy": float(energy), "forces": 0 * atoms.positions})


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["dataset.test=same_trajectory", "dataset.frames=20"], "dataset.test"),
        (
            ["model.seeds=[1,2]", "model.committee=2", "model.committee_splits=true"],
            "model.committee_splits",
        ),
    ],
)
def test_what_does_not_go_with_it(words: list[str], where: str) -> None:
    with pytest.raises(SpecError) as raised:
        plan(*words)
    assert where in raised.value.where
