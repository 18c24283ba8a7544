"""A PostgreSQL of a test's own: a cluster in a folder, on a port of this machine alone."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from outside import require

USER = "postgres"
"""Debian's user: PostgreSQL refuses to be root."""


def programs() -> Path | None:
    """The folder of Debian's newest initdb and pg_ctl, or of those in the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    there = found[-1] if found else shutil.which("initdb")
    return Path(there).parent if there else None


@contextlib.contextmanager
def cluster(password: str = "") -> Iterator[str]:
    """The URI of an empty database on a new cluster, which goes at the end.

    With a password nobody gets in without it, and the URI holds it.
    """
    bin_ = programs() or Path()
    require(bin_ != Path(), "PostgreSQL (apt-get install postgresql)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="ilmlip-pg-"))
    who = {}
    if os.geteuid() == 0:
        account = pwd.getpwnam(USER)
        os.chown(folder, account.pw_uid, account.pw_gid)
        who = {"user": account.pw_uid, "group": account.pw_gid}

    def call(*words: str) -> None:
        subprocess.run(
            [bin_ / words[0], *words[1:]],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PGPASSWORD": password},
            **who,
        )

    data, options = str(folder / "data"), f"-p {port} -h 127.0.0.1 -k {folder}"
    how = ["-A", "trust"]
    if password:
        (folder / "password").write_text(password, encoding="utf-8")
        how = ["-A", "scram-sha-256", f"--pwfile={folder / 'password'}"]
        (folder / "password").chmod(0o644)
    call("initdb", "-D", data, *how, "-U", USER, "-E", "UTF8")
    call("pg_ctl", "-D", data, "-l", str(folder / "log"), "-w", "-o", options, "start")
    try:
        call("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", USER, "mlflow")
        user = f"{USER}:{password}" if password else USER
        yield f"postgresql+psycopg2://{user}@127.0.0.1:{port}/mlflow"
    finally:
        call("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
