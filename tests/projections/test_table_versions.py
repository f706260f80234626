"""A read table whose statements change needs a higher `schema_version`, else it is never rebuilt.

    python -m tests.projections.test_table_versions     # records the versions of today

`table_versions.json` has a digest of each table's statements, by the table's version.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from projections.projector.projection import Projection
from projections.registry import ALL

RECORDING = ".venv/bin/python -m tests.projections.test_table_versions"

RECORDED = Path(__file__).with_name("table_versions.json")


class TableVersion(msgspec.Struct, frozen=True):
    version: int
    statements: str
    """SHA-256 of the statements that create the table, regardless of spacing."""


def version_of(projection: Projection) -> TableVersion:
    statements = " ".join(projection.table.split())
    return TableVersion(projection.schema_version, sha256(statements.encode()).hexdigest())


def fault(projection: Projection, recorded: TableVersion | None) -> str | None:
    """What to do, when the table and its recorded version differ."""
    today = version_of(projection)
    if today == recorded:
        return None
    if recorded is not None and today.version <= recorded.version:
        return (
            f"the statements of {projection.name} have changed: raise its schema_version above "
            f"{recorded.version}, then run {RECORDING}"
        )
    return (
        f"record {projection.name}: run .venv/bin/python -m tests.projections.test_table_versions"
    )


@pytest.mark.parametrize("projection", ALL, ids=lambda projection: projection.name)
def test_each_read_table_has_the_version_that_was_recorded_with_its_statements(
    projection: Projection,
) -> None:
    recorded = msgspec.json.decode(RECORDED.read_bytes(), type=dict[str, TableVersion])
    assert fault(projection, recorded.get(projection.name)) is None


def test_another_column_needs_a_higher_version() -> None:
    table = ALL[0]
    recorded = version_of(table)
    changed = msgspec.structs.replace(table, table=f"{table.table} -- changed")
    assert "raise its schema_version" in (fault(changed, recorded) or "")
    higher = msgspec.structs.replace(changed, schema_version=table.schema_version + 1)
    assert "record" in (fault(higher, recorded) or "")
    spaced = msgspec.structs.replace(table, table=table.table.replace("\n", "\n  "))
    assert fault(spaced, recorded) is None


if __name__ == "__main__":
    versions = {projection.name: version_of(projection) for projection in ALL}
    text = msgspec.json.format(msgspec.json.encode(versions, order="deterministic"), indent=2)
    RECORDED.write_bytes(text + b"\n")
