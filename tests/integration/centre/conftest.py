from collections.abc import Iterator

import pytest

from tests.broker import Broker
from tests.postgresql import PostgreSQL


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    with PostgreSQL() as running:
        yield running
