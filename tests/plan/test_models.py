"""Models that leave the store: asked for by fields that change no training."""

from ilmlip.execute.skip import possible
from ilmlip.plan.compile import compile_study
from ilmlip.plan.graph import Plan
from ilmlip.spec.load import load
from ilmlip.store import Store


def plan(*words: str) -> Plan:
    return compile_study([load(["quickstart", *words])])


def test_each_network_is_packaged_and_compiled_and_nothing_else_changes() -> None:
    before, after = plan(), plan("model.package=true", "model.compiled=true")
    assert before.tasks.keys() < after.tasks.keys()
    new = [task for task in after if task.key not in before.tasks]
    trainings = {task.key for task in before if task.stage == "train"}
    for stage in ("package", "compile_model"):
        assert {t.needs["model"][0] for t in new if t.stage == stage} == trainings
    assert len(new) == 2 * len(trainings)
    outputs = after.outputs[0]
    assert outputs["package_0.4+0.6_seed1"][1] == "model.nequip.zip"
    assert outputs["compiled_0.4+0.6_seed1"][1] == "model.nequip.pt2"


def test_what_cannot_be_compiled_here_is_left_out_with_a_word(monkeypatch, tmp_path) -> None:
    spec = load(["quickstart", "model.package=true", "model.compiled=true"])
    whole, store = compile_study([spec]), Store(tmp_path / "store")
    assert possible(whole, spec.cluster, store) == (whole, [])
    monkeypatch.setenv("CXX", "no-such-compiler")
    left, said = possible(whole, spec.cluster, store)
    stages = {task.stage for task in left}
    assert "compile_model" not in stages and "package" in stages
    assert all(key in left.tasks for key, _ in left.outputs[0].values())
    assert "not compiled" in said[0] and "no-such-compiler" in said[0]
