import numpy as np
import pytest
import toy
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read
from hypothesis import given
from hypothesis import strategies as st

from ilmlip.errors import StageError
from ilmlip.stages import dataset
from ilmlip.stages.base import Given, Inputs
from ilmlip.stages.dataset import Params, stratified

TRAIN = Params(role="train", validation_fraction=0.25, seed=3)
A, B = {"Li": 1, "K": 3, "PF": 4}, {"Li": 2, "K": 2, "PF": 4}


def test_train_and_val_are_apart_and_hold_every_composition(tmp_path):
    given_labels = toy.labels(tmp_path, A, 8) + toy.labels(tmp_path, B, 4)
    made = dataset.run(TRAIN, toy.inputs(labels=given_labels), tmp_path)
    assert made.files == ("train.extxyz", "val.extxyz")
    train, val = (read(tmp_path / name, index=":") for name in made.files)
    assert (len(train), len(val)) == (9, 3)
    energies = [a.get_potential_energy() for a in train + val]
    labelled = [read(g.path / "frame.extxyz").get_potential_energy() for g in given_labels]
    assert sorted(energies) == sorted(labelled)
    assert made.values["compositions"]["val"] == {"F4K2Li2P4": 1, "F4K3Li1P4": 2}
    assert made.values["elements"] == ["F", "K", "Li", "P"]
    assert made.values["missing"] == []


def test_test_role_keeps_order_and_names_what_is_missing(tmp_path):
    given_labels = toy.labels(tmp_path, A, 3)
    inputs = Inputs({"labels": tuple(given_labels)}, {"labels": ("label-lost",)})
    made = dataset.run(Params(role="test"), inputs, tmp_path)
    assert made.files == ("test.extxyz",)
    assert made.values["missing"] == ["label-lost"]
    both = "".join((g.path / "frame.extxyz").read_text(encoding="utf-8") for g in given_labels)
    assert (tmp_path / "test.extxyz").read_text(encoding="utf-8") == both


def test_the_last_frames_of_each_composition_are_tested_on(tmp_path):
    """Of what was sampled first and then chosen; the others are trained and validated on."""
    sampled = toy.labels(tmp_path, A, 2) + toy.labels(tmp_path, B, 2)
    added = []
    for counts, number in ((A, 4), (B, 2)):
        more = toy.labels(tmp_path / "added", counts, number + 1, seed=50)
        added += [Given(one.key, one.path, {"there": True}) for one in more[:-1]]
        added.append(Given(more[-1].key, more[-1].path, {"there": False}))  # not chosen after all
    inputs = Inputs({"labels": tuple(sampled), "chosen": tuple(added)})
    texts = {}
    for params in (Params(role="test", last=0.3), TRAIN.model_copy(update={"last": 0.3})):
        made = dataset.run(params, inputs, tmp_path)
        texts |= {name: (tmp_path / name).read_text(encoding="utf-8") for name in made.files}
        assert sum(made.values["frames"].values()) == {"test": 3, "train": 7}[params.role]

    def text(*given):
        return "".join((one.path / "frame.extxyz").read_text(encoding="utf-8") for one in given)

    assert texts["test.extxyz"] == text(added[2], added[3], added[6])
    others = [*sampled, added[0], added[1], added[5]]
    rest = texts["train.extxyz"] + texts["val.extxyz"]
    assert len(rest) == len(text(*others)) and all(text(one) in rest for one in others)


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=60),
    st.floats(0.0, 0.9),
    st.integers(0, 99),
)
def test_split_is_a_partition_with_the_share_of_each_group(groups, fraction, seed):
    split = stratified(groups, fraction, seed)
    assert sorted(split["train"] + split["val"]) == list(range(len(groups)))
    for group in set(groups):
        held = sum(groups[i] == group for i in split["val"])
        assert held == round(fraction * groups.count(group))
    assert split == stratified(groups, fraction, seed)


def test_split_of_one_composition_does_not_depend_on_the_others():
    alone = stratified(["a"] * 20, 0.3, 1)["val"]
    beside = [i for i in stratified(["a"] * 20 + ["b"] * 20, 0.3, 1)["val"] if i < 20]
    assert alone == beside


def test_refuses_a_frame_that_stands_there_twice(tmp_path):
    atoms = toy.frame(A, 1)
    twins = [toy.label(tmp_path, atoms, "label-one"), toy.label(tmp_path, atoms, "label-two")]
    with pytest.raises(StageError, match=r"label-one and label-two"):
        dataset.run(TRAIN, toy.inputs(labels=twins), tmp_path)


@pytest.mark.parametrize("broken", ["energy", "forces"])
def test_refuses_what_is_not_a_number(tmp_path, broken):
    atoms = toy.frame(A, 1)
    results = dict(atoms.calc.results)
    results[broken] = np.full_like(results[broken], np.nan)
    atoms.calc = SinglePointCalculator(atoms, **results)
    given_labels = [*toy.labels(tmp_path, A, 3), toy.label(tmp_path, atoms, "label-broken")]
    with pytest.raises(StageError, match=f"label-broken: {broken}"):
        dataset.run(TRAIN, toy.inputs(labels=given_labels), tmp_path)


def test_refuses_a_frame_without_labels(tmp_path):
    atoms = toy.frame(A, 1)
    atoms.calc = None
    with pytest.raises(StageError, match=r"label-bare.*no energy, forces"):
        dataset.run(TRAIN, toy.inputs(labels=[toy.label(tmp_path, atoms, "label-bare")]), tmp_path)


def test_refuses_an_empty_split(tmp_path):
    with pytest.raises(StageError, match="val set is empty"):
        dataset.run(
            TRAIN.model_copy(update={"validation_fraction": 0.1}),
            toy.inputs(labels=toy.labels(tmp_path, A, 2)),
            tmp_path,
        )
