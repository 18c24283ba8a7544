from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from ilmlip.errors import SpecError
from ilmlip.spec.model import Model

pytest_plugins = ("toy_fixtures",)

FILES = sorted((Path(__file__).parents[2] / "conf" / "model").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_every_shipped_model_is_valid(file):
    assert Model.model_validate(yaml.safe_load(file.read_text(encoding="utf-8"))).seeds


def test_a_training_knows_its_own_seed_only(smoke_model):
    more = smoke_model.model_copy(update={"seeds": (1, 2, 3), "linear": False})
    assert more.training(1) == smoke_model.training(1)
    assert more.training(2) != smoke_model.training(1)
    assert "seeds" not in smoke_model.training(1).model_dump()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"r_max": 0}, "r_max"),
        ({"r_max": -1.0}, "r_max"),
        ({"r_max": float("nan")}, "r_max"),
        ({"l_max": -1}, "l_max"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"rmax": 5}, "rmax"),
        ({"architecture": "mace"}, "architecture"),
        ({"ema_decay": 1.0}, "ema_decay"),
    ],
)
def test_limits(smoke_model, change, where):
    with pytest.raises(ValidationError) as caught:
        Model.model_validate(smoke_model.model_dump() | change)
    assert where in {str(error["loc"][0]) for error in caught.value.errors()}


@pytest.mark.parametrize(
    ("change", "where", "says"),
    [
        ({"n_features": None}, "model.n_features", "missing"),
        ({"n_scalar_features": 8}, "model.n_scalar_features", "setting of allegro"),
        ({"n_features": [8, 8, 8]}, "model.n_features", "l_max 1 needs 2"),
        ({"seeds": [1, 1]}, "model.seeds", "twice"),
        ({"loss": {"force": 0, "energy": 0}}, "model.loss", "above 0"),
        ({"architecture": "allegro"}, "model.n_features", "setting of nequip"),
    ],
)
def test_what_does_not_fit_together(smoke_model, change, where, says):
    with pytest.raises(SpecError, match=says) as caught:
        Model.model_validate(smoke_model.model_dump() | change)
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("native", "part"),
    [
        ({"r_max": 5}, "set model.r_max"),
        ({"type_names": ["H"]}, "native.type_names"),
        ({"avg_num_neighbors": 5}, "follows from the data"),
        ({"_target_": "os.system"}, "_target_"),
        ({"type_embed": {"_target_": "os.system"}}, "native.type_embed"),
        ({"x": "${oc.env:HOME}"}, "resolve"),
        ({"x": [[1]]}, "native.x"),
        ({"a.b": 1}, "native"),
    ],
)
def test_native_takes_values_and_no_targets(smoke_model, native, part):
    with pytest.raises((ValidationError, SpecError)) as error:
        Model.model_validate(smoke_model.model_dump() | {"native": native})
    assert part in str(error.value)


def test_native_stands_in_the_training(smoke_model):
    more = Model.model_validate(smoke_model.model_dump() | {"native": {"radial_mlp_depth": 2}})
    assert more.training(1).native == {"radial_mlp_depth": 2}
    assert more.training(1) != smoke_model.training(1)
