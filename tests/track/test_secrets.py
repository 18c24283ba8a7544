"""A password in tracking.uri: it reaches the database, and no file, report, log or message."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from command import PATIENCE, ilmlip
from postgres import cluster
from tracked import Study

from ilmlip import track, uri
from ilmlip.spec.cluster import Tracking
from ilmlip.spec.load import load_study
from ilmlip.track.__main__ import address_of

SECRET = "hunter2-Zx81"
STUDY = ("labels_smoke", "dft=opls")


def holders(folder: Path, secret: str = SECRET) -> list[str]:
    """Files below a folder whose name or content holds the secret."""
    return [
        str(path)
        for path in folder.rglob("*")
        if secret in path.name or (path.is_file() and secret.encode() in path.read_bytes())
    ]


@pytest.mark.parametrize(
    ("full", "shown"),
    [
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("sqlite:////data/a@b.db", "sqlite:////data/a@b.db"),
        ("postgresql+psycopg2://me:pw@host:5/db", "postgresql+psycopg2://me@host:5/db"),
        ("postgresql://me:p@:w/x?y#z@host/db?sslmode=require", "postgresql://me@host/db?sslmode=require"),
        ("postgresql://host/db?user=me&password=pw", "postgresql://host/db?user=me"),
        ("mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3Dpw", "mssql+pyodbc:///"),
        ("https://token@host:5000", "https://host:5000"),
        ("http://me:pw@host:5000/path", "http://host:5000/path"),
        ("http://host/?token=pw#pw", "http://host/"),
        ("databricks://profile", "databricks://profile"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_is_shown_of_a_uri(full: str, shown: str) -> None:
    assert uri.shown(full) == shown == uri.shown(shown)


def test_a_record_holds_no_secret_and_the_connection_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = f"mysql://me:{SECRET}@host/db"
    made = Tracking(uri=full)
    assert SECRET not in repr(made) + made.model_dump_json() + repr(pickle.dumps(made))
    assert track.whole(made.uri) == full
    study = load_study(["quickstart", f"tracking.uri={full}"])
    assert SECRET.encode() not in pickle.dumps(study)  # as a job of Slurm's gets it
    profile = tmp_path / "profile.yaml"
    profile.write_text(f"tracking: ['mysql://you:{SECRET}@other/db']\n", encoding="utf-8")
    monkeypatch.setenv("ILMLIP_PROFILE", str(profile))
    assert track.whole("mysql://you@other/db") == f"mysql://you:{SECRET}@other/db"
    assert track.whole("mysql://you@third/db") == "mysql://you@third/db"
    monkeypatch.setenv("ILMLIP_TRACKING_URI", f"mysql://you:{SECRET}@third/db")
    assert track.whole("mysql://you@third/db") == f"mysql://you:{SECRET}@third/db"


def test_a_server_gets_user_and_password_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow puts the address into its messages."""
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "other")
    monkeypatch.setenv("ILMLIP_TRACKING_URI", f"http://me:{SECRET}%40@host:5000")
    assert address_of("http://host:5000") == "http://host:5000"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "me"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == f"{SECRET}@"


def test_a_tracker_gets_none_of_mlflows_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "mine")
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true")
    found = track.environment()
    assert not {"MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI"} & set(found)
    assert found["MLFLOW_TRACKING_TOKEN"] == "mine"
    assert found["MLFLOW_ENABLE_ASYNC_LOGGING"] == "false"


@pytest.mark.engine
@pytest.mark.parametrize(
    "address", ["postgresql+psycopg2://me:{}@127.0.0.1:1/db", "http://me:{}@127.0.0.1:1"]
)
def test_nobody_answers_and_no_message_holds_the_password(tmp_path: Path, address: str) -> None:
    study = Study(tmp_path)
    study.begin()
    study.end()
    full = address.format(SECRET)
    done = subprocess.run(
        [sys.executable, "-m", "ilmlip.track", str(study.store.root), uri.shown(full)],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=PATIENCE, encoding="utf-8",
        env={**track.environment(), "ILMLIP_TRACKING_URI": full},
    )  # fmt: skip
    assert done.returncode == 1 and uri.shown(full) in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert holders(tmp_path) == []


@pytest.mark.engine
@pytest.mark.slow
def test_a_study_against_a_database_with_a_password(tmp_path: Path) -> None:
    """Run, report, freeze, page and log it: the database has it all, no file has the password."""
    with cluster(SECRET) as full:
        assert SECRET in full
        words = (*STUDY, f"tracking.uri={full}")
        said = [
            ilmlip(*command, cwd=tmp_path)
            for command in (
                ("run", *words, "--json"),
                ("report", *words),
                ("freeze", *words, "-o", "frozen.yaml"),
                ("run", *words, "--cfg", "job"),
                ("plan", "--json", *words),
                ("track", *words, "--rebuild", "--json"),
                ("diff", *words, *words[:-1]),
                ("run", "frozen.yaml", "model.r_mx=3"),  # wrong, and refused
                ("run", *words[:-1], f"tracking.urj={full}"),
            )
        ]
        assert [answer.code for answer in said] == [0, 0, 0, 0, 0, 0, said[6].code, 2, 2], said
        assert said[5].json["whole"] and len(said[5].json["logged"]) == 1
        (tmp_path / "spec.yaml").write_text(
            f"name: own\ndefaults: [config, _self_]\ntracking: {{uri: '{full}'}}\n",
            encoding="utf-8",
        )
        refused = ilmlip("plan", "spec.yaml", cwd=tmp_path)
        assert refused.code == 2 and "tracking.uri" in refused.err
        (tmp_path / "spec.yaml").unlink()
        for answer in (*said, refused):
            assert SECRET not in answer.out + answer.err
        assert holders(tmp_path) == []
        assert "postgresql+psycopg2://postgres@127.0.0.1" in (tmp_path / "frozen.yaml").read_text(
            encoding="utf-8"
        )
        dump = subprocess.run(
            ["pg_dump", full.replace("+psycopg2", "")], capture_output=True, check=True
        ).stdout
        assert b"labels_smoke" in dump and SECRET.encode() not in dump
