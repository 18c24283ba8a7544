"""Identity: equal values hash alike, different ones do not, and the scheme stays what it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilmlip.hashing import canonical, digest, file_digest, file_name, identity, plain
from ilmlip.record import Record, field

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@given(values)
def test_canonical_reads_back(value: object) -> None:
    assert json.loads(canonical(value)) == value


@given(st.dictionaries(st.text(), values, min_size=2))
def test_order_does_not_matter(value: dict[str, object]) -> None:
    assert digest("t", value) == digest("t", dict(reversed(value.items())))


@given(values, values)
def test_different_values_differ(a: object, b: object) -> None:
    assert (canonical(a) == canonical(b)) == (digest("t", a) == digest("t", b))


def test_integers_and_floats_differ() -> None:
    assert digest("t", 5) != digest("t", 5.0)


def test_domains_differ() -> None:
    assert digest("a", 1) != digest("b", 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"x": [float("-inf")]}])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        canonical(value)


def test_golden() -> None:
    value = {"b": [1, 2.5, None, True, "Å"], "a": {"z": 1e-6}}
    assert canonical(value) == b'{"a":{"z":1e-06},"b":[1,2.5,null,true,"\\u00c5"]}'
    assert (
        digest("ilmlip.test", value)
        == "1506a81c93de89030b74f5060bb47fc8c36be7d287eee1ccf363f69155bb9f6a"
    )


def test_file_digest(tmp_path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert file_digest(tmp_path / "f") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


class Before(Record):
    """A record as it was when results were made."""

    a: int = field("a")


class After(Before):
    """The same with a field that came later."""

    b: float = field("b", default=1.5, later=True)
    inner: Before | None = field("inner", default=None, later=True)


class Outer(Record):
    """Holds records in every way."""

    one: After = field("one")
    many: tuple[After, ...] = field("many", default=())
    named: dict[str, After] = field("named", default={})


def test_a_later_field_at_its_default_changes_no_identity() -> None:
    assert identity(After(a=1)) == identity(Before(a=1)) == {"a": 1}
    assert identity(After(a=1, b=2.0)) == {"a": 1, "b": 2.0}
    assert plain(After(a=1)) == {"a": 1, "b": 1.5, "inner": None}
    whole = Outer(one=After(a=1), many=(After(a=2), After(a=3, b=0)), named={"x": After(a=4)})
    assert identity(whole) == {
        "one": {"a": 1},
        "many": [{"a": 2}, {"a": 3, "b": 0.0}],
        "named": {"x": {"a": 4}},
    }


def test_long_texts_make_short_file_names() -> None:
    """A training set of many named compositions is longer than a file's name may be."""
    sets = ["+".join(f"composition-{i:027d}" for i in range(n)) for n in (2, 9, 10)]
    names = [file_name(text) for text in sets]
    assert names[0] == sets[0] and len(set(names)) == 3
    assert all(len(name.encode()) <= 120 for name in names)
    assert len(file_name("é" * 100).encode()) <= 120
