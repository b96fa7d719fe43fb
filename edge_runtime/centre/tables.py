"""The centre's tables, for SQLite and PostgreSQL alike.

Moments are Unix seconds. Bytes that came from elsewhere are kept as bytes.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

SCHEMA_VERSION = 1
CAMERA_HEALTH = "camera-health"
"""The kind of the rule whose open incidents make a device blind."""

metadata = MetaData()

version = Table("version", metadata, Column("version", Integer, primary_key=True))

chains = Table(
    "chains",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site", String, nullable=False),
    Column("device", String, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    # Each alert up to here is stored or known to be gone; its hash, where it is known.
    Column("acked", BigInteger, nullable=False),
    Column("hash", String(64)),
    Column("broken", Boolean, nullable=False),
    # How many are stored, and the highest number of which is known that it was given.
    Column("stored", BigInteger, nullable=False),
    Column("top", BigInteger, nullable=False),
    # Since when something behind a gap waits; what the device was asked for, and when.
    Column("gap_since", Float),
    Column("asked_id", String(64)),
    Column("asked_first", BigInteger),
    Column("asked_last", BigInteger),
    Column("asked_at", Float),
    Column("asked_times", Integer, nullable=False),
    UniqueConstraint("site", "device", "epoch"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("chain", ForeignKey("chains.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("received", Float, nullable=False),
    Column("time", String(40), nullable=False),
    Column("camera", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("severity", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    Column("incident", String, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
_about_cameras = text(f"rule = '{CAMERA_HEALTH}'")
Index(
    "camera_health",
    alerts.c.chain,
    alerts.c.sequence,
    sqlite_where=_about_cameras,
    postgresql_where=_about_cameras,
)

conflicts = Table(
    "conflicts",
    metadata,
    Column("chain", ForeignKey("chains.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", String(64), primary_key=True),
    Column("received", Float, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

gone = Table(
    "gone",
    metadata,
    Column("chain", ForeignKey("chains.id"), primary_key=True),
    Column("reason", String(10), primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, primary_key=True, autoincrement=False),
    Column("previous", String(64)),
    Column("hash", String(64)),
    Column("told", Float, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("site", String, primary_key=True),
    Column("device", String, primary_key=True),
    Column("status", LargeBinary),
    Column("status_heard", Float),
    Column("health", LargeBinary),
    Column("health_heard", Float),
)

refused = Table(
    "refused",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("reason", String, nullable=False),
    Column("heard", Float, nullable=False),
)
