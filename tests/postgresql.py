"""A real PostgreSQL server, for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from tests.broker import free_port

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


class PostgreSQL:
    """A server of its own on a free port of 127.0.0.1, as a context manager.

    It runs from entering to leaving; in between it can be stopped and started again.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = Path()

    def url(self) -> str:
        """That of a database in which there is nothing, or nothing any more."""
        url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return url

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder}"
        log = self._folder / "log"
        self._run("pg_ctl", "-D", str(self._data), "-o", options, "-l", str(log), "-w", "start")

    def stop(self) -> None:
        """End it at once, with all its connections."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def __enter__(self) -> PostgreSQL:
        assert _BINARIES, "these tests need a PostgreSQL server: apt-get install postgresql"
        self._folder = Path(tempfile.mkdtemp(prefix="edge-postgresql-"))
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres")
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "--no-sync")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        # The server refuses to run as root.
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run(
            [*user, str(_BINARIES[0] / program), *arguments],
            check=True,
            timeout=60,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
