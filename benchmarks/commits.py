"""A limit: commits per second of PostgreSQL, each with one stored event and nothing else."""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.servers import Database, pgbench

TABLE = """
CREATE TABLE history_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text,
    state bytea,
    notification_id bigserial UNIQUE,
    PRIMARY KEY (originator_id, originator_version)
)
"""

INSERT = """
INSERT INTO history_events (originator_id, originator_version, topic, state)
VALUES (gen_random_uuid(), 1, 'Visitor.Registered', decode(repeat('a7', 375), 'hex'));
"""
"""A stored registration has 375 bytes."""


class Committed(msgspec.Struct, frozen=True):
    rate: float
    p50: float
    """Milliseconds, as is `p99`."""
    p99: float


def create_table(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(TABLE)


def run(database: Database, folder: Path, *, clients: int, seconds: float) -> Committed:
    """Raises `subprocess.CalledProcessError`."""
    with TemporaryDirectory(dir=folder) as logs:
        script = Path(logs) / "insert.sql"
        script.write_text(INSERT)
        options = [
            *("--no-vacuum", "--protocol", "prepared", "--file", str(script), "--log"),
            *("--client", str(clients), "--time", str(max(1, round(seconds)))),
        ]
        subprocess.run(
            [pgbench(), *options],
            env=database.environment,
            cwd=logs,
            check=True,
            capture_output=True,
        )
        # A line of the log: client, transaction, microseconds, script, second, microsecond.
        lines = [
            line.split()
            for log in Path(logs).glob("pgbench_log.*")
            for line in log.read_text().splitlines()
        ]
    times = sorted(int(line[2]) / 1000 for line in lines)
    ends = [int(line[4]) + int(line[5]) / 1e6 for line in lines]
    return Committed(
        rate=len(times) / (max(ends) - min(ends)),
        p50=statistics.median(times),
        p99=times[int(len(times) * 0.99)],
    )
