"""Tables of the store, as migrations in order.

A migration that has been released is never edited: a change is a further one. Tables whose rows
are short and found by a compound key are WITHOUT ROWID: the key is the row's place in the file.
"""

from sqlite_utils import Database, Migrations

from streetclip.errors import StoreError, shown
from streetclip.store.backfill import fill_columns, forget_nearest_candidates
from streetclip.store.content_hash import fill_contents
from streetclip.store.identity_tables import IDENTITY_STATEMENTS
from streetclip.store.job_tables import JOB_TABLES

# In the file's header, so that another program's database is never taken for a store.
APPLICATION_ID = 0x53434C50  # "SCLP"

MIGRATIONS = Migrations("streetclip")

_IMAGES = (
    """
    CREATE TABLE image_folders (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE          -- absolute, links resolved
    ) STRICT""",
    """
    CREATE TABLE images (                  -- an image keeps its id across datasets and runs
        id INTEGER PRIMARY KEY,
        folder_id INTEGER NOT NULL REFERENCES image_folders (id),
        filename TEXT NOT NULL,            -- relative to the folder
        UNIQUE (folder_id, filename)
    ) STRICT""",
    """
    CREATE TABLE datasets (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        csv_path TEXT NOT NULL,
        csv_sha256 TEXT NOT NULL,
        folder_id INTEGER NOT NULL REFERENCES image_folders (id),
        num_images INTEGER NOT NULL,
        num_skipped INTEGER NOT NULL,      -- bad rows left out
        attribute_columns TEXT NOT NULL,   -- JSON list
        drawn INTEGER NOT NULL,            -- 1: the demo's drawn world
        created_at TEXT NOT NULL,
        UNIQUE (csv_sha256, folder_id, num_images, num_skipped)
    ) STRICT""",
    """
    CREATE TABLE dataset_images (
        dataset_id INTEGER NOT NULL REFERENCES datasets (id),
        image_id INTEGER NOT NULL,         -- of images
        line INTEGER NOT NULL,             -- of the CSV
        city TEXT NOT NULL,
        region TEXT NOT NULL,
        country TEXT NOT NULL,             -- as written
        country_code TEXT NOT NULL,
        continent TEXT NOT NULL,
        latitude_deg REAL,
        longitude_deg REAL,
        attributes TEXT,                   -- JSON object; NULL: none
        PRIMARY KEY (dataset_id, image_id)
    ) STRICT, WITHOUT ROWID""",
)

_RUNS = (
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        dataset_id INTEGER NOT NULL REFERENCES datasets (id),
        model_source TEXT NOT NULL,
        model_sha256 TEXT NOT NULL,
        candidates_path TEXT NOT NULL,
        candidates_sha256 TEXT NOT NULL,
        strategy TEXT NOT NULL,
        seed INTEGER NOT NULL,
        num_images INTEGER NOT NULL,
        num_done INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL CHECK (state IN ('running', 'interrupted', 'failed', 'done')),
        error TEXT,
        output_dir TEXT NOT NULL,
        commit_sha TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        prompts TEXT NOT NULL,             -- JSON, as are the next three
        config TEXT NOT NULL,
        versions TEXT NOT NULL,
        metrics TEXT                       -- NULL until the run is done
    ) STRICT""",
    "CREATE INDEX runs_by_fingerprint ON runs (fingerprint)",
    """
    CREATE TABLE predictions (
        run_id INTEGER NOT NULL,           -- the writer checks keys and values a batch at a time:
        image_id INTEGER NOT NULL,         -- CHECKs here would halve its rate
        status TEXT NOT NULL,              -- ok, unreadable
        true_country TEXT NOT NULL,
        pred_country TEXT,
        pred_city TEXT,
        country_correct INTEGER NOT NULL,
        city_correct INTEGER NOT NULL,
        country_reachable INTEGER NOT NULL,
        city_reachable INTEGER NOT NULL,
        country_probability REAL,
        city_probability REAL,
        true_country_rank INTEGER,
        true_city_rank INTEGER,
        pred_latitude_deg REAL,
        pred_longitude_deg REAL,
        true_latitude_deg REAL,
        true_longitude_deg REAL,
        coordinate_source TEXT NOT NULL,   -- of the true place: image, city, none
        distance_km REAL,
        nearest_candidate_km REAL,
        error TEXT,
        PRIMARY KEY (run_id, image_id)
    ) STRICT, WITHOUT ROWID""",
    """
    CREATE INDEX predictions_by_pair ON predictions
        (run_id, true_country, pred_country, country_probability, distance_km)""",
    """
    CREATE TABLE prediction_rankings (     -- apart, for they outweigh all other columns together
        run_id INTEGER NOT NULL,
        image_id INTEGER NOT NULL,
        top_countries TEXT NOT NULL,       -- JSON [[code, probability], …]
        top_cities TEXT NOT NULL,          -- JSON [[city, code, probability], …]
        PRIMARY KEY (run_id, image_id)
    ) STRICT, WITHOUT ROWID""",
)

# Additive counters, kept in the transaction that writes the predictions.
_AGGREGATES = (
    """
    CREATE TABLE place_aggregates (
        run_id INTEGER NOT NULL REFERENCES runs (id),
        level TEXT NOT NULL,               -- overall, continent, country, region, city
        continent TEXT NOT NULL,           -- '' below the level
        country TEXT NOT NULL,             -- ISO code
        region TEXT NOT NULL,
        city TEXT NOT NULL,
        n INTEGER NOT NULL,
        unreadable INTEGER NOT NULL,
        with_coordinates INTEGER NOT NULL, -- images whose true place has coordinates
        num_distances INTEGER NOT NULL,
        country_correct INTEGER NOT NULL,
        city_correct INTEGER NOT NULL,
        country_reachable INTEGER NOT NULL,
        city_reachable INTEGER NOT NULL,
        country_correct_city_reachable INTEGER NOT NULL,
        within_1 INTEGER NOT NULL,
        within_25 INTEGER NOT NULL,
        within_200 INTEGER NOT NULL,
        within_750 INTEGER NOT NULL,
        within_2500 INTEGER NOT NULL,
        reachable_within_1 INTEGER NOT NULL, -- a candidate of the true country is that near
        reachable_within_25 INTEGER NOT NULL,
        reachable_within_200 INTEGER NOT NULL,
        reachable_within_750 INTEGER NOT NULL,
        reachable_within_2500 INTEGER NOT NULL,
        geoscore_sum REAL NOT NULL,
        distance_km_sum REAL NOT NULL,
        PRIMARY KEY (run_id, level, continent, country, region, city)
    ) STRICT, WITHOUT ROWID""",
    """
    CREATE TABLE pair_aggregates (
        run_id INTEGER NOT NULL REFERENCES runs (id),
        true_country TEXT NOT NULL,
        pred_country TEXT NOT NULL,        -- '' where nothing was predicted
        n INTEGER NOT NULL,
        city_correct INTEGER NOT NULL,
        num_distances INTEGER NOT NULL,
        distance_km_sum REAL NOT NULL,
        country_probability_sum REAL NOT NULL,
        PRIMARY KEY (run_id, true_country, pred_country)
    ) STRICT, WITHOUT ROWID""",
    """
    CREATE TABLE distance_histogram (
        run_id INTEGER NOT NULL REFERENCES runs (id),
        bin INTEGER NOT NULL,              -- of aggregates.distance_bin_edges_km
        n INTEGER NOT NULL,
        PRIMARY KEY (run_id, bin)
    ) STRICT, WITHOUT ROWID""",
)

_TRAININGS = (
    """
    CREATE TABLE trainings (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        model_source TEXT NOT NULL,
        train_csv TEXT NOT NULL,
        val_csv TEXT NOT NULL,
        output_dir TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'interrupted', 'failed', 'done')),
        error TEXT,
        commit_sha TEXT,
        config TEXT NOT NULL,              -- JSON, as is the next
        versions TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    ) STRICT""",
    """
    CREATE TABLE training_points (
        training_id INTEGER NOT NULL REFERENCES trainings (id),
        name TEXT NOT NULL,
        step INTEGER NOT NULL,
        epoch REAL NOT NULL,
        value REAL,                        -- NULL: not a number
        PRIMARY KEY (training_id, name, step)
    ) STRICT, WITHOUT ROWID""",
)


@MIGRATIONS()
def m001_images_runs_and_trainings(db: Database) -> None:
    """Create images, datasets, runs, predictions, their aggregates, and training curves."""
    for statement in (*_IMAGES, *_RUNS, *_AGGREGATES, *_TRAININGS):
        db.execute(statement)


_COLUMNS = (
    """
    CREATE TABLE column_parts (            -- beside the rows, for who reads all of a column
        owner TEXT NOT NULL CHECK (owner IN ('dataset', 'run')),
        owner_id INTEGER NOT NULL,
        name TEXT NOT NULL,
        part INTEGER NOT NULL,
        num_rows INTEGER NOT NULL,
        data BLOB NOT NULL,                -- numbers, little-endian; the program knows their type
        PRIMARY KEY (owner, owner_id, name, part)
    ) STRICT""",
    """
    CREATE TABLE places (                  -- true places of a dataset, in alphabetical order
        dataset_id INTEGER NOT NULL REFERENCES datasets (id),
        id INTEGER NOT NULL,               -- from 0, as in the column place
        continent TEXT NOT NULL,
        country TEXT NOT NULL,             -- ISO code
        region TEXT NOT NULL,
        city TEXT NOT NULL,
        PRIMARY KEY (dataset_id, id)
    ) STRICT, WITHOUT ROWID""",
    """
    CREATE TABLE attribute_values (        -- of attributes with 2 to 500 values
        dataset_id INTEGER NOT NULL REFERENCES datasets (id),
        name TEXT NOT NULL,
        code INTEGER NOT NULL,             -- from 0, as in the column attribute:name
        value TEXT NOT NULL,
        PRIMARY KEY (dataset_id, name, code)
    ) STRICT, WITHOUT ROWID""",
    """
    CREATE TABLE predicted_places (
        run_id INTEGER NOT NULL REFERENCES runs (id),
        id INTEGER NOT NULL,               -- from 1, as in the column pred_place
        country TEXT NOT NULL,             -- ISO code
        city TEXT NOT NULL,
        latitude_deg REAL,
        longitude_deg REAL,
        PRIMARY KEY (run_id, id)
    ) STRICT, WITHOUT ROWID""",
)

# Of images, not of predictions: a further run keeps them.
_ANNOTATIONS = (
    """
    CREATE TABLE annotations (             -- one for each image that has a tag, note or status
        image_id INTEGER PRIMARY KEY REFERENCES images (id),
        status TEXT NOT NULL,              -- open, reviewed, to check
        note TEXT NOT NULL,
        updated_at TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX annotations_by_status ON annotations (status) WHERE status <> 'open'",
    """
    CREATE TABLE annotation_tags (
        tag TEXT NOT NULL,
        image_id INTEGER NOT NULL REFERENCES annotations (image_id),
        PRIMARY KEY (tag, image_id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX annotation_tags_by_image ON annotation_tags (image_id)",
    """
    CREATE TABLE annotation_events (       -- what undo takes back, the newest first
        id INTEGER PRIMARY KEY,
        description TEXT NOT NULL,
        created_at TEXT NOT NULL,
        undone_at TEXT
    ) STRICT""",
    """
    CREATE TABLE annotation_changes (      -- how an image was before an event
        event_id INTEGER NOT NULL REFERENCES annotation_events (id),
        image_id INTEGER NOT NULL REFERENCES images (id),
        status TEXT NOT NULL,
        note TEXT NOT NULL,
        tags TEXT NOT NULL,                -- JSON list
        updated_at TEXT,                   -- NULL: it had no annotation
        PRIMARY KEY (event_id, image_id)
    ) STRICT, WITHOUT ROWID""",
)


@MIGRATIONS()
def m002_columns_and_annotations(db: Database) -> None:
    """Create columns and annotations; fill the columns of what is there already.

    Nobody looks predictions up by pair any more: the columns tell which images to read. The index
    for that took a fourth of the writer's time.
    """
    db.execute("DROP INDEX predictions_by_pair")
    for statement in (*_COLUMNS, *_ANNOTATIONS):
        db.execute(statement)
    fill_columns(db.conn)


@MIGRATIONS()
def m003_jobs(db: Database) -> None:
    """Create jobs; runs and trainings that are called running become interrupted."""
    for statement in JOB_TABLES:
        db.execute(statement)


@MIGRATIONS()
def m004_nearest_candidate_of_any_country(db: Database) -> None:
    """Blank nearest candidates that were sought in the true country alone.

    A prediction may be nearer than those, so that a share within a distance could pass a ceiling
    made of them. The candidates are not in the store: the nearest of any country stays unknown
    until the images are evaluated again.
    """
    forget_nearest_candidates(db.conn)


@MIGRATIONS()
def m005_identities(db: Database) -> None:
    """Name runs, trainings and annotations by random tokens, datasets by their content."""
    for statement in IDENTITY_STATEMENTS:
        db.execute(statement)
    fill_contents(db.conn)


@MIGRATIONS()
def m006_image_files(db: Database) -> None:
    """Create what tells that image files changed since they were predicted."""
    db.execute(
        """
        CREATE TABLE run_files (
            run_id INTEGER NOT NULL REFERENCES runs (id),
            part INTEGER NOT NULL,         -- one for each batch of predictions
            data BLOB NOT NULL,            -- little-endian int64: see run_files.py
            PRIMARY KEY (run_id, part)
        ) STRICT"""
    )


def migrate(db: Database) -> None:
    """Apply the missing migrations; call it in a transaction, so that all or none hold."""
    MIGRATIONS.apply(db)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def is_outdated(db: Database) -> bool:
    """Whether the file lacks a migration that this program has."""
    return bool(MIGRATIONS.pending(db))


def is_empty(db: Database) -> bool:
    """Whether the file holds no table yet, as one that was only just made."""
    return bool(db.execute("SELECT count(*) = 0 FROM sqlite_master").fetchone()[0])


def check_schema(db: Database, name: str) -> None:
    """Refuse a file that is another program's, or of a newer schema.

    Args:
        db: An open database; one without tables passes.
        name: What to call the file in the message.

    Raises:
        StoreError: The file is not a store, or a newer StreetCLIP wrote it.
    """
    if is_empty(db):
        return
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        msg = (
            f"{name}: is the SQLite database of another program; expected a StreetCLIP store. "
            "Name another file with --db."
        )
        raise StoreError(msg)
    unknown = [each.name for each in MIGRATIONS.applied(db) if each.name not in _known()]
    if unknown:
        msg = (
            f"{name}: was written by a newer StreetCLIP: its schema has {shown(unknown[-1])}, "
            "which this program lacks. Update this program, or name another file with --db."
        )
        raise StoreError(msg)


def _known() -> set[str]:
    nothing = Database(memory=True, execute_plugins=False)
    try:
        return {migration.name for migration in MIGRATIONS.pending(nothing)}
    finally:
        nothing.close()
