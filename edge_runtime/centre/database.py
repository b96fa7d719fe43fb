"""The centre's database: opened, its tables made, its failures in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from edge_runtime.centre.tables import SCHEMA_VERSION, metadata, version
from edge_runtime.errors import EdgeRuntimeError

_BUSY_SECONDS = 5.0
_WRITES = "writes"
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


class StoreError(EdgeRuntimeError):
    """The database cannot be used; it may be better later."""


class DatabaseUrlError(StoreError):
    """The URL, or what is behind it, is not one for the centre; trying again does not help."""


def open_database(url: str) -> Engine:
    """The engine for `url`: ``sqlite:////path/to/file`` or ``postgresql://user@host/name``.

    Raises:
        DatabaseUrlError: the URL is wrong, its driver is not installed, or the database is a
            newer version's.
        StoreError: the database cannot be reached or written.
    """
    parsed = _parsed(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS})
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        else:
            engine = create_engine(parsed, pool_pre_ping=True)
    except ImportError as error:
        raise DatabaseUrlError(
            f"the database {_shown(parsed)} needs a driver that is not installed ({error.name}): "
            "pip install 'edge-runtime[centre-postgresql]'"
        ) from error
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            # Two that start at once are not both to make the tables; the number is ours alone.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7233061)")
        metadata.create_all(connection)
        found = connection.scalar(select(func.max(version.c.version)))
        if found is None:
            connection.execute(insert(version).values(version=SCHEMA_VERSION))
        elif found > SCHEMA_VERSION:
            raise DatabaseUrlError(
                f"the database {_shown(parsed)} was written by a newer edge-centre (schema "
                f"{found}, this one knows {SCHEMA_VERSION}): install the newer one"
            )
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is committed at the end; raises StoreError."""
    try:
        with engine.execution_options(**{_WRITES: True}).begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise StoreError(_sentence(engine.url, error)) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one state of the database, and changes none; raises StoreError."""
    try:
        if engine.dialect.name == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise StoreError(_sentence(engine.url, error)) from error


def inserting(connection: Connection, table: Table) -> Any:
    """An INSERT into `table` that may say what becomes of a conflict, as this database has it."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def printable(text: str) -> str:
    """`text`, whatever it holds, as a database and a terminal take it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        driver = _DRIVERS[parsed.drivername]
        made = parsed.set(drivername=driver)
    except (ArgumentError, KeyError, NoSuchModuleError) as error:
        raise DatabaseUrlError(
            "the database is given as sqlite:///file, sqlite:////absolute/file or "
            "postgresql://user@host/name"
        ) from error
    if made.get_backend_name() == "sqlite" and made.database in (None, "", ":memory:"):
        raise DatabaseUrlError("the database sqlite:/// names no file: add its path")
    return made


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun by _begin_sqlite, not by the driver.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    # A transaction that reads first and then writes would fail where another one wrote between.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _sentence(url: URL, error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    words = " ".join(str(cause).split())
    return f"the database {_shown(url)} cannot be used: {words}"
