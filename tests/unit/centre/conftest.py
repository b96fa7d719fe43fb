from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.centre.store import Store
from tests.centre import database_in
from tests.postgresql import PostgreSQL


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    with PostgreSQL() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """That of an empty database, of each kind."""
    if request.param == "sqlite":
        return database_in(tmp_path)
    found: str = request.getfixturevalue("server").url()
    return found


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened
