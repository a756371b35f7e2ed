"""Stores damaged in every way that a disk, a copy or another program may damage them."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

PAGE = 4096


def edit(path: Path, *statements: str) -> None:
    """Change a closed store with plain SQL; what a schema forbids is allowed meanwhile."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        kept = connection.execute("SELECT rowid, sql FROM sqlite_master").fetchall()
        triggers = [sql for _, sql in kept if sql and sql.startswith("CREATE TRIGGER")]
        for name in re.findall(r"CREATE TRIGGER (\w+)", "\n".join(triggers)):
            connection.execute(f"DROP TRIGGER {name}")
        loose = {
            row: re.sub(r" NOT NULL| STRICT(?!,)| STRICT,(?= WITHOUT)", "", sql)
            for row, sql in kept
            if sql and sql.startswith("CREATE TABLE")
        }
        change = "UPDATE sqlite_master SET sql = ? WHERE rowid = ?"
        connection.executemany(change, [(sql, row) for row, sql in loose.items()])
        version = connection.execute("PRAGMA schema_version").fetchone()[0]
        connection.execute(f"PRAGMA schema_version = {version + 1}")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            connection.execute(statement)
        connection.executemany(change, [(sql, row) for row, sql in kept if row in loose])
        connection.execute(f"PRAGMA schema_version = {version + 2}")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for sql in triggers:
            connection.execute(sql)


def by_sql(*statements: str) -> Callable[[Path], None]:
    return lambda path: edit(path, *statements)


def plain_sql(*statements: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return damage


def cut(keep: Callable[[int], int]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        whole = path.read_bytes()
        path.write_bytes(whole[: keep(len(whole))])

    return damage


def overwrite(start: Callable[[int], int], length: int, byte: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        whole = bytearray(path.read_bytes())
        at = start(len(whole))
        whole[at : at + length] = byte * length
        path.write_bytes(whole)

    return damage


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT)")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def index_disagrees(path: Path) -> None:
    """Change rows of a table while an index of it is not known."""
    index = "FROM sqlite_master WHERE name = 'runs_by_fingerprint'"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (row,) = connection.execute(f"SELECT * {index}").fetchall()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(f"DELETE {index}")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE runs SET fingerprint = fingerprint || ' changed'")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)


def flip_column(path: Path) -> None:
    """Flip three bytes in the middle of a run's distances, in the file itself."""
    with closing(sqlite3.connect(path)) as connection:
        (data,) = connection.execute(
            "SELECT data FROM column_parts WHERE owner = 'run' AND name = 'distance_km'"
        ).fetchone()
    whole = bytearray(path.read_bytes())
    at = whole.index(data[:256]) + 100
    for byte in range(at, at + 3):
        whole[byte] ^= 0x55
    path.write_bytes(whole)


_PART = "WHERE owner = 'run' AND owner_id = 1 AND name = 'flags'"

DAMAGE: dict[str, Callable[[Path], None]] = {
    "cut to half": cut(lambda size: size // 2 // PAGE * PAGE),
    "cut to a third": cut(lambda size: size // 3),
    "cut to the first page": cut(lambda _: PAGE),
    "cut to 100 bytes": cut(lambda _: 100),
    "empty": cut(lambda _: 0),
    "zeroed pages": overwrite(lambda _: 2 * PAGE, 8 * PAGE, b"\0"),
    "zeroed schema": overwrite(lambda _: 100, PAGE - 100, b"\0"),
    "garbage header": overwrite(lambda _: 0, 64, b"\xa5"),
    "garbage pages": overwrite(lambda size: size // 3 // PAGE * PAGE, 20 * PAGE, b"\xff"),
    "foreign": foreign,
    "folder": folder,
    "other application": plain_sql("PRAGMA application_id = 7"),
    "no runs table": plain_sql("DROP TABLE runs"),
    "no migrations table": plain_sql("DROP TABLE _sqlite_migrations"),
    "no uid column": plain_sql(
        "DROP TRIGGER runs_made",
        "DROP TRIGGER runs_changed",
        "ALTER TABLE runs RENAME COLUMN uid TO other",
    ),
    "text for a number": by_sql("UPDATE runs SET num_done = 'many', num_images = 'more'"),
    "NULL for a name": by_sql("UPDATE runs SET name = NULL, created_at = NULL"),
    "infinite number": by_sql("UPDATE runs SET num_done = 9e999"),
    # What follows leaves some pages to draw.
    "no annotations table": plain_sql("DROP TABLE annotation_tags"),
    "no jobs table": plain_sql("DROP TABLE jobs"),
    "no predictions table": plain_sql("DROP TABLE predictions"),
    "other user_version": plain_sql("PRAGMA user_version = 99"),
    "invalid UTF-8": plain_sql(
        "UPDATE runs SET name = CAST(x'66ff80c3' AS TEXT), model_source = CAST(x'ff' AS TEXT)",
        "UPDATE datasets SET name = CAST(x'ff00' AS TEXT)",
        "UPDATE dataset_images SET city = CAST(x'ff' AS TEXT) WHERE line < 10",
    ),
    "control characters": plain_sql(
        "UPDATE runs SET name = char(0, 27, 91, 51, 49, 109, 8238, 13, 10) || name",
        'UPDATE dataset_images SET city = char(7) || city, attributes = \'{"weather": "\\u0000"}\'',
        "UPDATE trainings SET name = char(27, 0)",
    ),
    "no JSON in metrics": plain_sql("UPDATE runs SET metrics = '{\"n\": ' WHERE id = 1"),
    "no JSON in a run": plain_sql("UPDATE runs SET config = '{', versions = 'x' WHERE id = 1"),
    "other JSON in a run": plain_sql("UPDATE runs SET config = '[]', metrics = '7' WHERE id = 1"),
    "deep JSON": plain_sql(
        "UPDATE runs SET config = replace(hex(zeroblob(50000)), '0', '[') WHERE id = 1"
    ),
    "no JSON in a training": plain_sql("UPDATE trainings SET config = 'x', best = '{'"),
    "no JSON in a job": plain_sql("UPDATE jobs SET parameters = '{', arguments = ''"),
    "no JSON in a ranking": plain_sql(
        "UPDATE prediction_rankings SET top_countries = 'x', top_cities = '['"
    ),
    "index disagrees": index_disagrees,
    "text for a probability": by_sql("UPDATE training_points SET value = 'high'"),
    "flipped bytes in a column": flip_column,
    "column of another length": plain_sql(
        f"UPDATE column_parts SET data = substr(data, 9), num_rows = num_rows - 8 {_PART}"
    ),
    "column with a huge length": plain_sql(f"UPDATE column_parts SET num_rows = 1 << 60 {_PART}"),
    "column gone": plain_sql(f"DELETE FROM column_parts {_PART}"),
    "places gone": plain_sql("DELETE FROM places WHERE id > 3", "DELETE FROM predicted_places"),
    "predictions gone": plain_sql("DELETE FROM predictions WHERE image_id % 2"),
}
"""What damages a closed store, by kind."""
