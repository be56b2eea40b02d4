"""The tables as today's program uses them. How a database gets them is in ``schema.py``."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, String, Table, Text

METADATA = MetaData()

SCHEMA_VERSION = Table(
    "schema_version", METADATA,
    Column("one", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
)  # fmt: skip

ACCOUNTS = Table(
    "accounts", METADATA,
    Column("name", String, primary_key=True),
    Column("permission", String, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
)  # fmt: skip

PASSWORD_HASHES = Table(
    "password_hashes", METADATA,
    Column("name", String, primary_key=True),
    Column("argon2id", String, nullable=False),
)  # fmt: skip

WIDELANDS_DIGESTS = Table(
    "widelands_digests", METADATA,
    Column("name", String, primary_key=True),
    Column("sha1", String, nullable=False),
)  # fmt: skip

SANCTIONS = Table(
    "sanctions", METADATA,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("target", String, nullable=False),
    Column("value", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("imposed_by", String, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("lifted_at", Double),
    Column("lifted_by", String),
)  # fmt: skip

CHANGES = Table(
    "changes", METADATA,
    Column("subject", String, primary_key=True),
    Column("counter", BigInteger, nullable=False),
)  # fmt: skip
