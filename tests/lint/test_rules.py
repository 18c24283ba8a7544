"""Each finding of lint: where it is found, and where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import ilmlip
from outside import use_pseudopotentials

from ilmlip.engines import gpaw
from ilmlip.errors import SpecError
from ilmlip.lint.finding import CODES, Finding
from ilmlip.lint.run import lint
from ilmlip.plan.compile import compile_study
from ilmlip.spec import outside
from ilmlip.spec.load import load_study
from ilmlip.store import Result, Store

# nothing to say of it
CLEAN = (
    "compositions=fifths", "scale=laptop", "model=allegro_laptop", "model.r_max=4",
    "compositions.training=[[0.4,0.6]]", "compositions.fractions=[0.0,0.2,0.4,0.6]",
)  # fmt: skip
MIXED = "compositions.training=[[0.4],[0.4,0.6]]"


def found(*words: str, multirun: bool = False) -> list[Finding]:
    study = load_study([*CLEAN, *words], multirun=multirun)
    plan = compile_study(study.specs, [point.swept for point in study.points])
    return lint(study, plan)


def codes(*words: str, multirun: bool = False) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in found(*words, multirun=multirun)]


def test_nothing_to_say() -> None:
    assert codes() == []


@pytest.mark.parametrize(
    ("words", "code", "severity", "where"),
    [
        ([MIXED], "energy-span", "warning", "compositions.training.0"),
        (["compositions.training=[[0.0,1.0]]"], "species-apart", "warning", "compositions.training.0"),
        (["model.r_max=6"], "cutoff-box", "warning", "model.r_max"),
        (["model.r_max=12"], "cutoff-box", "error", "model.r_max"),
        (["sampling.grid_spacing=9"], "grid-narrow", "error", "sampling.grid_spacing"),
        (["model.loss.stress=1", "dft.stress=false"], "stress-missing", "error", "model.loss.stress"),
        (["dft=gfn1_xtb", "model.shifts=zero"], "quantum-shifts", "error", "model.shifts"),
        (["dft=gfn1_xtb", "model.shifts=mean"], "quantum-shifts", "error", "model.shifts"),
        (["ensemble=nvt"], "l-max-md", "warning", "model.l_max"),
        (["ensemble=npt"], "npt-no-stress", "warning", "model.loss.stress"),
        (["sampling.interval=100"], "frames-correlated", "warning", "dataset.every"),
        (
            ["dataset.test=same_trajectory", "sampling.duration=2e5"],
            "test-same-trajectory", "warning", "dataset.test",
        ),
    ],
)  # fmt: skip
def test_a_finding(words: list[str], code: str, severity: str, where: str) -> None:
    assert (code, severity, where) in {(f.code, f.severity, f.where) for f in found(*words)}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["dft=gfn1_xtb"], "quantum-shifts"),
        (["dft=gfn1_xtb", "model.shifts=zero", "compositions.training=[[0.4]]"], "quantum-shifts"),
        (["model.shifts=zero"], "quantum-shifts"),
        (["ensemble=nvt", "model.l_max=2"], "l-max-md"),
        (["ensemble=npt", "model.loss.stress=100"], "npt-no-stress"),
        (["model.loss.stress=1"], "stress-missing"),
        (["dft.stress=false"], "stress-missing"),
    ],
)
def test_no_finding(words: list[str], code: str) -> None:
    assert code not in {f.code for f in found(*words)}


def test_the_direction_in_words_and_the_remedy() -> None:
    (finding,) = found(MIXED)
    assert "energy difference EMIM − Li is undetermined" in finding.message
    assert "x = 0.0, 0.2, 0.6" in finding.message and "Add 0.6" in finding.message
    remedied = found("compositions.training=[[0.4,0.6]]")
    assert not remedied


def test_a_sweep_without_effect() -> None:
    assert codes("model.r_max=4,4.5", "analysis.findings=null", multirun=True) == []
    words = ["dataset.quorum=0.5,0.9", "model.r_max=4,4.5"]
    found_ = found(*words, multirun=True)
    assert [(f.code, f.where) for f in found_] == [("sweep-no-effect", "sweep.dataset.quorum")]


def test_fields_that_only_change_together_are_not_said_to_have_no_effect() -> None:
    fields = [f"{{model.l_max: {n}, model.learning_rate: {n / 100}}}" for n in (1, 2)]
    assert codes(f"sweep=[{','.join(fields)}]", "analysis.findings=null") == []


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without programs, whose folder of pseudopotentials holds one wrong file."""
    folder = tmp_path / "pseudo" / "sssp_1.3.0_pbe_efficiency"
    folder.mkdir(parents=True)
    (folder / "Li.upf").write_text("another lithium", encoding="utf-8")
    use_pseudopotentials(tmp_path, monkeypatch, tmp_path / "pseudo")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_what_this_machine_lacks(empty_machine: Path) -> None:
    wanted = [f for f in found("dft=qe_pbe_d3") if f.code.endswith("-missing")]
    program, *files = wanted
    assert (program.code, program.severity, program.where) == (
        "program-missing", "error", "dft.engine",
    )  # fmt: skip
    assert "Debian: quantum-espresso" in program.message and "profile.yaml" in program.message
    assert {(f.code, f.severity) for f in files} == {("pseudopotential-missing", "error")}
    places = {f.where: f.message for f in files}
    assert set(places) == {f"dft.qe.pseudopotentials.{e}" for e in ("C", "F", "H", "Li", "N", "P")}
    assert "e912e257baa3777c20ea3d68f190483c is wanted" in places["dft.qe.pseudopotentials.Li"]
    assert "there is no file" in places["dft.qe.pseudopotentials.H"]
    (family,) = (f for f in found("dft=qe_pbe_d3_nc") if f.code == "pseudopotential-missing")
    assert family.where == "dft.qe.family" and "holds sssp_1.3.0" in family.message
    (cp2k,) = (f for f in found("dft=cp2k_pbe_d3") if f.code.endswith("-missing"))
    assert cp2k.where == "dft.engine" and "Debian: cp2k" in cp2k.message
    program, family = (f for f in found("dft=vasp_pbe") if f.code.endswith("-missing"))
    assert program.where == "dft.engine" and "vasp_std" in program.message
    assert family.where == "dft.vasp.family" and "potpaw_PBE.54" in family.message
    (empty_machine / "pseudo" / "potpaw_PBE.54").mkdir()
    _, *files = (f for f in found("dft=vasp_pbe") if f.code.endswith("-missing"))
    assert {f.where for f in files} == {f"dft.vasp.pseudopotentials.{e}" for e in
                                        ("C", "F", "H", "Li", "N", "P")}  # fmt: skip
    assert "Give its file and md5" in files[0].message
    assert not [f for f in found() if f.code.endswith("-missing")]


def test_a_compiler_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert codes() == []
    (missing,) = found("model.compiled=true")
    assert (missing.code, missing.severity, missing.where) == (
        "compiler-missing", "warning", "model.compiled",
    )  # fmt: skip
    assert "no-such-compiler" in missing.message


def test_a_calculator_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "find_spec", lambda name: None)
    assert "calculator-missing" not in codes("analysis.models.x.calculator=gfn1_xtb")
    (missing,) = found("analysis.models.x.calculator=chgnet")
    assert (missing.code, missing.severity, missing.where) == (
        "calculator-missing", "error", "analysis.models.x.calculator",
    )  # fmt: skip
    assert "pip install chgnet" in missing.message


def test_gpaw_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpaw, "find_spec", lambda name: None)
    (missing,) = (f for f in found("dft=gpaw_pbe_d3") if f.code.endswith("-missing"))
    assert missing.where == "dft.engine" and "make gpaw" in missing.message


def test_labels_that_are_there_need_no_program(empty_machine: Path) -> None:
    study = load_study([*CLEAN, "dft=cp2k_pbe_d3"])
    plan = compile_study(study.specs, [point.swept for point in study.points])
    store = Store(empty_machine / "store")
    store.prepare()
    assert "program-missing" in {f.code for f in lint(study, plan, store)}
    digests: dict[str, str] = {}
    for task in plan:
        if task.stage in ("forcefield", "build", "equilibrate", "sample", "label"):
            inputs = {key: digests[key] for key in task.inputs()}
            made = Result(
                task.key, task.stage, task.version, store.root, {}, {}, inputs, {}, {}, {}, ""
            )
            digests[task.key] = store.publish(made, store.new_work(task.key)).digest
    assert "program-missing" not in {f.code for f in lint(study, plan, store)}


def test_silenced_by_code_with_a_reason() -> None:
    assert codes(MIXED, "lint.silence={energy-span: shown on purpose}") == []
    with pytest.raises(SpecError, match="energy-span"):
        codes("lint.silence={energy-spam: x}")
    with pytest.raises(SpecError, match=r"lint\.silence"):
        codes("lint.silence={energy-span: ''}")


def test_every_code_is_documented_and_found_somewhere() -> None:
    page = (Path(__file__).parents[2] / "docs" / "lint.md").read_text(encoding="utf-8")
    here = "".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parents[1].rglob("test_*.py")
    )
    for code in CODES:
        assert f"`{code}`" in page and f'"{code}"' in here


def test_errors_stop_a_run_and_strict_stops_at_warnings(tmp_path: Path) -> None:
    bad = ilmlip("run", *CLEAN, "model.r_max=12", cwd=tmp_path)
    assert bad.code == 2 and "[cutoff-box]" in bad.err and "lint.silence.cutoff-box" in bad.err
    assert not (tmp_path / "store").exists()
    for command in ("run", "lint", "plan"):
        strict = ilmlip(command, *CLEAN, "model.r_max=6", "--strict", cwd=tmp_path)
        assert strict.code == 2
    warned = ilmlip("plan", *CLEAN, "model.r_max=6", cwd=tmp_path)
    assert warned.code == 0 and "warning: model.r_max" in warned.err
    told = ilmlip("plan", *CLEAN, "model.r_max=12", "--json", cwd=tmp_path)
    assert told.code == 0 and "error: model.r_max" in told.err
    assert ("cutoff-box", "error") in {(f["code"], f["severity"]) for f in told.json["findings"]}


def test_lint_as_json(tmp_path: Path) -> None:
    answer = ilmlip("lint", *CLEAN, MIXED, "--json", cwd=tmp_path)
    assert answer.code == 0
    (finding,) = answer.json["findings"]
    assert set(finding) >= {"code", "severity", "where", "message"}
    assert ilmlip("lint", *CLEAN, "model.r_max=12", "--json", cwd=tmp_path).code == 2
