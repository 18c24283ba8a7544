"""Runs of the models in the plan: which, from where, and that nothing else changes."""

from pathlib import Path

import pytest
from ase.io import write
from synthetic import lipf6

from ilmlip.chemistry.boxes import read
from ilmlip.errors import SpecError, StageError
from ilmlip.export.study import refuse_series
from ilmlip.plan.compile import compile_study, plan_of, study_key
from ilmlip.spec.load import load, load_study
from ilmlip.stages import start as start_stage
from ilmlip.stages.base import Inputs

NVT = ("ensemble=nvt", "ensemble.duration=1000")


def plan(*words: str):
    return compile_study([load(["quickstart", *words])])


def runs(made) -> list:
    return [task for task in made if task.stage == "md"]


def test_a_run_of_each_models_first_seed_at_each_composition() -> None:
    before, after = plan(), plan(*NVT)
    assert before.tasks.keys() < after.tasks.keys()
    found = runs(after)
    assert len(found) == 2 * 6  # training sets, compositions
    assert {task.about["seed"] for task in found} == {1}
    assert len(after.tasks) == len(before.tasks) + 2 * len(found) + 2  # observe, and two tables
    outputs = after.outputs[0]
    assert [outputs[name][1] for name in ("md", "md_page", "md_figure")] == [
        "md.csv",
        "md.md",
        "md.png",
    ]
    for task in found:
        (start,) = task.needs["structure"]
        assert after.tasks[start].stage == "sample"
        assert after.tasks[start].about["composition"] == task.about["composition"]
        assert task.params.thermo_every == 20 and task.how == {"restart_every": 2000}


def test_what_is_run_can_be_chosen() -> None:
    chosen = ("ensemble.fractions=[0.4,1.0]", "ensemble.training=[[0.4,0.6]]", "ensemble.seeds=2")
    found = runs(plan(*NVT, *chosen, "ensemble.replicas=3", "ensemble.temperatures=[300,350]"))
    assert len(found) == 2 * 2 * 3 * 2
    # the first velocities are those of composition, temperature and replica: all models have the same
    assert len({task.params.seed for task in found}) == 2 * 3 * 2


def test_when_restarts_are_kept_is_in_no_key() -> None:
    often = plan(*NVT, "ensemble.restart_interval=100")
    assert often.tasks.keys() == plan(*NVT).tasks.keys()
    assert plan(*NVT, "ensemble.interval=200").tasks.keys() != often.tasks.keys()


def test_the_compiled_model_is_made_once_and_needed() -> None:
    made = plan(*NVT, "ensemble.compiled=true")
    compiled = {task.key for task in made if task.stage == "compile_model"}
    assert len(compiled) == 2
    assert {task.needs["compiled"][0] for task in runs(made)} == compiled


@pytest.mark.parametrize(
    ("words", "where", "message"),
    [
        (("ensemble.fractions=[0.3]",), "ensemble.fractions", "0.3 is not tested"),
        (("ensemble.training=[[0.5]]",), "ensemble.training", "0.5 is not trained on"),
        (("ensemble.seeds=4",), "ensemble.seeds", "model.seeds has 3"),
        (("model.seeds=[]", "analysis=none"), "ensemble", "trains no network"),
        (("ensemble.interval=0.7",), "ensemble.interval", "a whole number of steps"),
        (("ensemble.pressure=1",), "ensemble.pressure", "has no meaning for nvt"),
        (("ensemble.timestep=0",), "ensemble.timestep", "greater than 0"),
    ],
)
def test_what_cannot_be_run(words: tuple[str, ...], where: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as found:
        load(["quickstart", *NVT, *words])
    assert where in found.value.where


def test_frames_of_the_runs_are_labelled_as_a_test_set_is() -> None:
    before = plan(*NVT)
    after = plan(*NVT, "ensemble.validate_frames=5", "ensemble.fractions=[0.4,1.0]")
    made = [task for task in after if task.key not in before.tasks]
    stages = [task.stage for task in made]
    found = runs(after)
    assert len(found) == 2 * 2
    assert stages.count("md_frames") == stages.count("evaluate") == len(found)
    labels = [task for task in made if task.stage == "label"]
    assert len(labels) == 5 * len(found)
    # by the settings of the study's own labels
    (settings,) = {str(t.params.opls) for t in after if t.stage == "label"}
    assert settings != "None"
    (validate,) = (task for task in made if task.stage == "validate")
    testing = [after.tasks[key] for key in validate.needs["testing"]]
    assert [t.about["composition"] for t in testing] == [t.about["composition"] for t in found]
    assert all(key in before.tasks for key in validate.needs["testing"])
    assert after.outputs[0]["validation_page"] == (validate.key, "validation.md")
    with pytest.raises(SpecError, match="keeps 10 frames after its first"):
        plan(*NVT, "ensemble.validate_frames=11")


@pytest.mark.parametrize("word", ["ensemble.temperature=1e300", "ensemble.temperatures=[1e300]"])
def test_what_no_run_can_have_is_refused_with_its_place(word: str) -> None:
    with pytest.raises(SpecError, match="less than or equal to 100000"):
        load(["quickstart", *NVT, word])
    with pytest.raises(SpecError, match="10000000"):
        load(["quickstart", "ensemble=npt", "ensemble.pressure=1e300"])


def test_an_export_holds_no_frames_of_the_runs() -> None:
    refuse_series(plan(*NVT))
    with pytest.raises(SpecError, match="which cannot be exported; set it to 0"):
        refuse_series(plan(*NVT, "ensemble.validate_frames=2"))


def test_a_ladder_of_pressures_is_one_run_and_a_table() -> None:
    """Its task is another than that of one pressure; a run at one pressure keeps its key."""
    small = ("ensemble.fractions=[0.4]", "ensemble.training=[[0.4,0.6]]")
    made = plan("ensemble=tait_ladder", *small)
    (task,) = runs(made)
    assert task.params.run.pressures[:2] == (1, 1001) and len(task.params.run.pressures) == 19
    assert task.params.run.whole() == 19 * 1e5  # settles for as long as it counts
    (short,) = runs(plan("ensemble=tait_ladder", "ensemble.settle=1000", *small))
    assert short.params.run.whole() == 19 * 5.1e4
    (table,) = (one for one in made if one.stage == "compressibility")
    assert table.needs["md"] == (task.key,)
    assert made.outputs[0]["compressibility_page"] == (table.key, "compressibility.md")
    assert not [one for one in plan("ensemble=npt", *small) if one.stage == "compressibility"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (
            ["ensemble=tait_ladder", "ensemble.pressure=1"],
            "pressure=1: has no meaning for a ladder",
        ),
        ([*NVT, "ensemble.pressures=[1,1000]"], "pressures=[1,1000]: has no meaning for nvt"),
        (["ensemble=tait_ladder", "ensemble.engine=lammps"], "a ladder of pressures needs ase"),
        (["ensemble=npt", "ensemble.settle=100"], "settle=100: has no meaning for npt"),
        (
            ["ensemble=tait_ladder", "ensemble.settle=100.1"],
            "settle=100.1: 100.1 fs is 200.2 steps",
        ),
    ],
)
def test_a_ladder_that_does_not_fit(words: list[str], part: str) -> None:
    with pytest.raises(SpecError) as error:
        load(["quickstart", *words])
    assert part in str(error.value)


def test_a_scan_looks_at_the_runs_of_its_points() -> None:
    study = load_study(["table_s13_s14", "scale=laptop_datasets", "model=allegro_722_laptop"])
    made = plan_of(study)
    (scan,) = (task for task in made if task.stage == "scan")
    assert len(scan.needs["observed"]) == 9
    assert scan.params.runs == tuple((point, 1) for point in range(9))


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """Four Li and four PF6, one of them after the other, in a box of 1.5 g/cm³."""
    box = lipf6(4)
    write(tmp_path / "mine.extxyz", [box[:8], box])
    return tmp_path / "mine.extxyz"


def test_a_start_of_ones_own(start: Path) -> None:
    """Known by what it holds: where it lies is in no key. Runs have no other start."""
    words = (*NVT, "ensemble.fractions=[1.0]", f"ensemble.start.file={start}")
    made = plan(*words)
    (key,) = {task.needs["structure"][0] for task in runs(made)}
    assert made.tasks[key].stage == "start" and made.tasks[key].how == {"path": str(start)}
    moved = start.rename(start.with_name("other.extxyz"))
    again = (*words[:-1], f"ensemble.start.file={moved}")
    assert plan(*again).tasks.keys() == made.tasks.keys()
    assert study_key([load(["quickstart", *again])]) != study_key([load(["quickstart", *NVT])])
    inputs = Inputs({}, how=made.tasks[key].how)
    with pytest.raises(StageError, match=r"No such file"):
        start_stage.STAGE.run(made.tasks[key].params, inputs, start.parent)
    inputs = Inputs({}, how={"path": str(moved)})
    output = start_stage.STAGE.run(made.tasks[key].params, inputs, start.parent)
    assert output.values["n_atoms"] == 32
    assert len(read(start.parent / "structure.extxyz")[-1]) == 32


def test_a_start_of_another_composition(start: Path) -> None:
    with pytest.raises(SpecError) as error:
        plan(*NVT, f"ensemble.start.file={start}")
    assert "mine.extxyz holds 4 Li, 4 PF6" in str(error.value)
    assert "ensemble.fractions" in str(error.value)
    with pytest.raises(SpecError, match="is another file"):
        load(["quickstart", *NVT, f"ensemble.start={{file: {start}, sha256: {'0' * 64}}}"])
    with pytest.raises(SpecError, match="no such file"):
        load(["quickstart", *NVT, "ensemble.start.file=nowhere.xyz"])


def test_lammps_moves_the_atoms_if_it_is_asked_to() -> None:
    found = runs(plan(*NVT, "ensemble.engine=lammps"))
    assert {task.params.engine for task in found} == {"lammps"}
    usual = runs(plan(*NVT))
    assert runs(plan(*NVT, "ensemble.engine=ase")) == usual
    assert not {task.key for task in found} & {task.key for task in usual}
    with pytest.raises(SpecError, match="lammps"):
        load(["quickstart", *NVT, "ensemble.engine=gromacs"])


def test_a_committee_predicts_the_labelled_frames_of_each_run() -> None:
    words = ("ensemble.fractions=[0.4]", "ensemble.training=[[0.4]]", "ensemble.validate_frames=4")
    made = plan(*NVT, *words, "model.committee=3")
    (trusted,) = (task for task in made if task.stage == "trust")
    (key,) = trusted.needs["committee"]
    together = made.tasks[key]
    models = [made.tasks[e].needs["model"][0] for e in together.needs["evaluations"]]
    assert [made.tasks[m].about["seed"] for m in models] == [1, 2, 3]
    assert together.needs["dataset"] == trusted.needs["dataset"]
    assert made.outputs[0]["committee_page"][1] == "committee.md"
    assert "committee" not in plan(*NVT, *words).outputs[0]


def test_measured_densities_stand_beside_runs_of_the_pure_salt_alone() -> None:
    chosen = ("ensemble=npt", "ensemble.duration=1000", "model.loss.stress=1")
    made = plan(*chosen, "ensemble.fractions=[0.0,0.4]")
    (report,) = (task for task in made if task.stage == "observe_report")
    assert report.params.measured.keys() == {"0.0"}
    assert "Taguchi" in report.params.source
    first = report.params.measured["0.0"][0]
    assert (first.temperature, first.density) == (353.15, 1.422)
    without = plan(*chosen, "ensemble.fractions=[0.4]")
    (report,) = (task for task in without if task.stage == "observe_report")
    assert report.params.measured == {} and report.params.source == ""


def test_what_was_measured_is_no_part_of_what_a_study_is() -> None:
    spec = load(["quickstart"])
    other = load(["quickstart", "system.salts.EMIMPF6.measured=[]"])
    assert study_key([spec]) == study_key([other])
    with pytest.raises(SpecError, match="measured_source"):
        load(["quickstart", "system.salts.EMIMPF6.measured_source=''"])


def test_files_for_a_lammps_of_ones_own_are_of_the_same_run() -> None:
    words = ("ensemble.fractions=[0.4]", "ensemble.training=[[0.4]]")
    made = plan(*NVT, *words, "ensemble.lammps_files=true")
    (md,) = runs(made)
    (files,) = (task for task in made if task.stage == "lammps_files")
    assert files.params.run == md.params.run and files.params.seed == md.params.seed
    assert files.needs["structure"] == md.needs["structure"]
    assert made.outputs[0]["lammps_0.4_seed1_0.4_300K_0"] == (files.key, "in.lammps")
    assert md.key in plan(*NVT, *words).tasks


def test_frames_of_a_ladder_are_of_its_first_pressure() -> None:
    """Errors over all pressures beside those in testing would compare two liquids."""
    ladder = ("ensemble=tait_ladder", "ensemble.duration=500", "ensemble.settle=1000")
    words = ("ensemble.fractions=[0.4]", "ensemble.validate_frames=5")
    made = plan(*ladder, *words)
    assert {task.params.between for task in made if task.stage == "md_frames"} == {(1000.0, 1500.0)}
    with pytest.raises(SpecError, match="validate_frames"):
        plan(*ladder, *words[:1], "ensemble.validate_frames=6")
