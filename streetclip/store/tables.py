"""Define the tables in SQL, in the order of the migrations that create them.

Tables whose rows are short and found by a compound key are WITHOUT ROWID: the key is the row's
place in the file. Each line that ends with a semicolon ends a statement.
"""

import re

# A later migration makes it again: SQLite cannot change the UNIQUE of a table.
DATASETS = """
    CREATE TABLE datasets (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        csv_path TEXT NOT NULL, csv_sha256 TEXT NOT NULL,
        folder_id INTEGER NOT NULL REFERENCES image_folders (id),
        num_images INTEGER NOT NULL,
        num_skipped INTEGER NOT NULL,      -- bad rows left out
        attribute_columns TEXT NOT NULL,   -- JSON list
        drawn INTEGER NOT NULL,            -- 1: of the demo
        created_at TEXT NOT NULL,
        content_sha256 TEXT NOT NULL DEFAULT '', -- of its rows: places depend on the program, too
        UNIQUE (csv_sha256, folder_id, num_skipped, content_sha256)
    ) STRICT"""

IMAGES = f"""
    CREATE TABLE image_folders (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE          -- absolute, links resolved
    ) STRICT;
    CREATE TABLE images (                  -- an image keeps its id across datasets and runs
        id INTEGER PRIMARY KEY,
        folder_id INTEGER NOT NULL REFERENCES image_folders (id),
        filename TEXT NOT NULL,            -- relative to the folder
        UNIQUE (folder_id, filename)
    ) STRICT;
    {DATASETS};
    CREATE TABLE dataset_images (
        dataset_id INTEGER NOT NULL REFERENCES datasets (id),
        image_id INTEGER NOT NULL,         -- of images
        line INTEGER NOT NULL,             -- of the CSV
        city TEXT NOT NULL, region TEXT NOT NULL,
        country TEXT NOT NULL,             -- as written
        country_code TEXT NOT NULL,
        continent TEXT NOT NULL,
        latitude_deg REAL, longitude_deg REAL,
        attributes TEXT,                   -- JSON object; NULL: none
        PRIMARY KEY (dataset_id, image_id)
    ) STRICT, WITHOUT ROWID;
"""

RUNS = """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        dataset_id INTEGER NOT NULL REFERENCES datasets (id),
        model_source TEXT NOT NULL, model_sha256 TEXT NOT NULL,
        candidates_path TEXT NOT NULL, candidates_sha256 TEXT NOT NULL,
        strategy TEXT NOT NULL, seed INTEGER NOT NULL,
        num_images INTEGER NOT NULL, num_done INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL CHECK (state IN ('running', 'interrupted', 'failed', 'done')),
        error TEXT,
        output_dir TEXT NOT NULL, commit_sha TEXT,
        created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
        prompts TEXT NOT NULL,             -- JSON, as are the next three
        config TEXT NOT NULL,
        versions TEXT NOT NULL,
        metrics TEXT                       -- NULL until the run is done
    ) STRICT;
    CREATE INDEX runs_by_fingerprint ON runs (fingerprint);
    CREATE TABLE predictions (
        run_id INTEGER NOT NULL,           -- the writer checks keys and values a batch at a time:
        image_id INTEGER NOT NULL,         -- CHECKs here would halve its rate
        status TEXT NOT NULL,              -- ok, unreadable, unparsable
        true_country TEXT NOT NULL,
        pred_country TEXT, pred_city TEXT,
        country_correct INTEGER NOT NULL, city_correct INTEGER NOT NULL,
        country_reachable INTEGER NOT NULL, city_reachable INTEGER NOT NULL,
        country_probability REAL, city_probability REAL,
        true_country_rank INTEGER, true_city_rank INTEGER,
        pred_latitude_deg REAL, pred_longitude_deg REAL,
        true_latitude_deg REAL, true_longitude_deg REAL,
        coordinate_source TEXT NOT NULL,   -- of the true place: image, city, none
        distance_km REAL, nearest_candidate_km REAL,
        error TEXT,
        PRIMARY KEY (run_id, image_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE prediction_rankings (     -- apart, for they outweigh all other columns together
        run_id INTEGER NOT NULL,
        image_id INTEGER NOT NULL,
        top_countries TEXT NOT NULL,       -- JSON [[code, probability], …]
        top_cities TEXT NOT NULL,          -- JSON [[city, code, probability], …]
        PRIMARY KEY (run_id, image_id)
    ) STRICT, WITHOUT ROWID;
"""

TRAININGS = """
    CREATE TABLE trainings (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        model_source TEXT NOT NULL,
        train_csv TEXT NOT NULL, val_csv TEXT NOT NULL,
        output_dir TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'interrupted', 'failed', 'done')),
        error TEXT,
        commit_sha TEXT,
        config TEXT NOT NULL,              -- JSON, as is the next
        versions TEXT NOT NULL,
        created_at TEXT NOT NULL, updated_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE training_points (
        training_id INTEGER NOT NULL REFERENCES trainings (id),
        name TEXT NOT NULL,
        step INTEGER NOT NULL,
        epoch REAL NOT NULL,
        value REAL,                        -- NULL: not a number
        PRIMARY KEY (training_id, name, step)
    ) STRICT, WITHOUT ROWID;
"""

COLUMNS = """
    CREATE TABLE column_parts (            -- the rows once more, to read whole columns
        owner TEXT NOT NULL CHECK (owner IN ('dataset', 'run')),
        owner_id INTEGER NOT NULL,
        name TEXT NOT NULL,
        part INTEGER NOT NULL,
        num_rows INTEGER NOT NULL,
        data BLOB NOT NULL,                -- numbers, little-endian; the program knows their type
        crc32 INTEGER NOT NULL,            -- of data
        PRIMARY KEY (owner, owner_id, name, part)
    ) STRICT;
    CREATE TABLE places (                  -- true places of a dataset, in alphabetical order
        dataset_id INTEGER NOT NULL REFERENCES datasets (id),
        id INTEGER NOT NULL,               -- from 0, as in the column place
        continent TEXT NOT NULL,
        country TEXT NOT NULL,             -- ISO code
        region TEXT NOT NULL,
        city TEXT NOT NULL,
        PRIMARY KEY (dataset_id, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE attribute_values (        -- of attributes with 2 to 500 values
        dataset_id INTEGER NOT NULL REFERENCES datasets (id),
        name TEXT NOT NULL,
        code INTEGER NOT NULL,             -- from 0, as in the column attribute:name
        value TEXT NOT NULL,
        PRIMARY KEY (dataset_id, name, code)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE predicted_places (
        run_id INTEGER NOT NULL REFERENCES runs (id),
        id INTEGER NOT NULL,               -- from 1, as in the column pred_place
        country TEXT NOT NULL,             -- ISO code
        city TEXT NOT NULL,
        latitude_deg REAL, longitude_deg REAL,
        PRIMARY KEY (run_id, id)
    ) STRICT, WITHOUT ROWID;
"""

# Annotations belong to images, not to predictions: a further run keeps them.
ANNOTATIONS = """
    CREATE TABLE annotations (             -- one for each image that has a tag, note or status
        image_id INTEGER PRIMARY KEY REFERENCES images (id),
        status TEXT NOT NULL,              -- open, reviewed, to check
        note TEXT NOT NULL,
        updated_at TEXT NOT NULL
    ) STRICT;
    CREATE INDEX annotations_by_status ON annotations (status) WHERE status <> 'open';
    CREATE TABLE annotation_tags (
        tag TEXT NOT NULL,
        image_id INTEGER NOT NULL REFERENCES annotations (image_id),
        PRIMARY KEY (tag, image_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX annotation_tags_by_image ON annotation_tags (image_id);
    CREATE TABLE annotation_events (       -- what undo takes back, the newest first
        id INTEGER PRIMARY KEY,
        description TEXT NOT NULL,
        created_at TEXT NOT NULL,
        undone_at TEXT
    ) STRICT;
    CREATE TABLE annotation_changes (      -- how an image was before an event
        event_id INTEGER NOT NULL REFERENCES annotation_events (id),
        image_id INTEGER NOT NULL REFERENCES images (id),
        status TEXT NOT NULL,
        note TEXT NOT NULL,
        tags TEXT NOT NULL,                -- JSON list
        updated_at TEXT,                   -- NULL: it had no annotation
        PRIMARY KEY (event_id, image_id)
    ) STRICT, WITHOUT ROWID;
"""

ANNOTATION_AUTHORS = """
    -- Of the one who made the event; '': a program, or not known
    ALTER TABLE annotation_events ADD COLUMN browser TEXT NOT NULL DEFAULT '';
    ALTER TABLE annotation_events ADD COLUMN author_name TEXT NOT NULL DEFAULT '';
    CREATE INDEX annotation_events_by_browser ON annotation_events (browser, undone_at);
    -- How an image was after the event; NULL: of an older program, not known
    ALTER TABLE annotation_changes ADD COLUMN new_status TEXT;
    ALTER TABLE annotation_changes ADD COLUMN new_note TEXT;
    ALTER TABLE annotation_changes ADD COLUMN new_tags TEXT;
    ALTER TABLE annotation_changes ADD COLUMN new_updated_at TEXT
"""

JOBS = """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,                -- '': none
        state TEXT NOT NULL CHECK (
            state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')),
        attempt INTEGER NOT NULL,          -- 0: never started
        arguments TEXT NOT NULL,           -- JSON list
        parameters TEXT NOT NULL,          -- JSON object
        output_dir TEXT NOT NULL,          -- absolute, links resolved; '': none
        cwd TEXT NOT NULL,
        host TEXT,                         -- NULL, as the next two: no process had it yet
        pid INTEGER,
        process_started_at REAL,
        heartbeat_at TEXT,                 -- NULL: its process has not reported yet
        created_at TEXT NOT NULL,
        started_at TEXT, ended_at TEXT,
        updated_at TEXT NOT NULL,
        cancel_requested_at TEXT,
        task TEXT NOT NULL DEFAULT '', unit TEXT NOT NULL DEFAULT '',
        done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0,
        rate REAL,                         -- units a second
        numbers TEXT NOT NULL DEFAULT '{}',
        outputs TEXT NOT NULL DEFAULT '[]', -- JSON list of paths
        error TEXT,
        log_path TEXT NOT NULL
    ) STRICT;
    CREATE INDEX jobs_by_state ON jobs (state);
    CREATE INDEX jobs_by_output_dir ON jobs (output_dir);
    CREATE UNIQUE INDEX one_live_job_by_output_dir ON jobs (output_dir)
        WHERE state IN ('queued', 'running') AND output_dir <> '';
    -- NULL: made before there were jobs
    ALTER TABLE runs ADD COLUMN job_id INTEGER;
    ALTER TABLE trainings ADD COLUMN job_id INTEGER;
    -- JSON object; NULL: no checkpoint chosen yet
    ALTER TABLE trainings ADD COLUMN best TEXT;
    CREATE INDEX runs_by_job ON runs (job_id);
    CREATE INDEX trainings_by_job ON trainings (job_id);
    -- Programs without jobs left no heartbeat; one that still runs sets its own state at the end.
    UPDATE runs SET state = 'interrupted' WHERE state = 'running';
    UPDATE trainings SET state = 'interrupted' WHERE state = 'running';
"""

# Ids, times and counters repeat in other files and in restored backups; random tokens do not. A
# `uid` stays with its row, a `revision` changes with every change of the row. Triggers renew them,
# so that no statement can forget to.
_TOKEN = "lower(hex(randomblob(16)))"  # noqa: S105 -- no secret


def _trigger(name: str, event: str, table: str, row: str, changes: str = "") -> str:
    """Renew the revision of a row after an event."""
    update = f"UPDATE {table} SET revision = {_TOKEN}{changes} WHERE {row};"  # noqa: S608 -- our own names
    return f"CREATE TRIGGER {name} AFTER {event} BEGIN {update} END"


def _identify(table: str, columns: str) -> tuple[str, ...]:
    """Add to each row a uid, and a revision that a change of these columns renews."""
    new = f", uid = {_TOKEN}"
    return (
        f"ALTER TABLE {table} ADD COLUMN uid TEXT NOT NULL DEFAULT ''",
        f"ALTER TABLE {table} ADD COLUMN revision TEXT NOT NULL DEFAULT ''",
        f"UPDATE {table} SET uid = {_TOKEN}, revision = {_TOKEN}",  # noqa: S608 -- our own names
        _trigger(f"{table}_made", f"INSERT ON {table}", table, "id = NEW.id", new),
        _trigger(f"{table}_changed", f"UPDATE OF {columns} ON {table}", table, "id = NEW.id"),
    )


_OLD_COLUMNS = (
    "id, name, csv_path, csv_sha256, folder_id, num_images, num_skipped, attribute_columns, drawn, "
    "created_at"
)

IDENTITIES = (
    f"""
    PRAGMA defer_foreign_keys = ON;
    CREATE TABLE kept_datasets AS SELECT * FROM datasets;
    DROP TABLE datasets;
    {DATASETS};
    INSERT INTO datasets ({_OLD_COLUMNS}, content_sha256)
        SELECT {_OLD_COLUMNS}, 'dataset ' || id FROM kept_datasets;
    DROP TABLE kept_datasets;
    CREATE TABLE revisions (               -- of what has no row of its own
        name TEXT PRIMARY KEY,             -- annotations; store: identifies it, never renewed
        revision TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO revisions VALUES ('annotations', {_TOKEN});
    """,  # noqa: S608 -- our own names
    *_identify("runs", "name, dataset_id, num_images, num_done, state, error, metrics"),
    *_identify("trainings", "state, created_at"),
    # A training appends points: only what replaces or removes some renews its revision.
    _trigger(
        "training_points_removed", "DELETE ON training_points", "trainings", "id = OLD.training_id"
    ),
    _trigger(
        "training_points_replaced",
        "UPDATE ON training_points WHEN OLD.value IS NOT NEW.value OR OLD.epoch <> NEW.epoch",
        "trainings",
        "id = NEW.training_id",
    ),
    *(
        _trigger(f"annotations_{name}", event, "revisions", "name = 'annotations'")
        for name, event in (
            ("made", "INSERT ON annotation_events"),
            ("undone", "UPDATE ON annotation_events"),
            ("removed", "DELETE ON annotation_events"),
        )
    ),
)

# What people add to a run; a deleted one keeps its number, so that no link shows another run.
RUN_NOTES = (
    """
    ALTER TABLE runs ADD COLUMN description TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN archived_at TEXT;
    CREATE TABLE deleted_runs (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        deleted_at TEXT NOT NULL
    ) STRICT
    """,
    _trigger("runs_described", "UPDATE OF description, archived_at ON runs", "runs", "id = NEW.id"),
    _trigger("datasets_named", "UPDATE OF name ON datasets", "runs", "dataset_id = NEW.id"),
)

TRIGGERS = frozenset(
    each for each in (*IDENTITIES, *RUN_NOTES) if each.startswith("CREATE TRIGGER")
)

JOB_ORIGIN = f"""
    -- NULL: process_started_at is in seconds since 1970; else in ticks since this boot
    ALTER TABLE jobs ADD COLUMN process_boot_id TEXT;
    -- by the installation that queued the attempt; NULL: none
    ALTER TABLE jobs ADD COLUMN signature TEXT;
    INSERT OR REPLACE INTO revisions VALUES ('store', {_TOKEN})
"""  # noqa: S608 -- our own names

RUN_FILES = """
    CREATE TABLE run_files (
        run_id INTEGER NOT NULL REFERENCES runs (id),
        part INTEGER NOT NULL,             -- one for each batch of predictions
        data BLOB NOT NULL,                -- little-endian int64: see predictions.py
        PRIMARY KEY (run_id, part)
    ) STRICT"""

VIEWS = """
    CREATE TABLE views (                   -- of the dashboard, as people name them
        name TEXT NOT NULL PRIMARY KEY,
        page TEXT NOT NULL,                -- its path in the URL
        query TEXT NOT NULL,               -- of the URL
        created_at TEXT NOT NULL
    ) STRICT"""

_NOTES = (*RUN_NOTES, VIEWS)
_SCRIPTS = (IMAGES, RUNS, TRAININGS, COLUMNS, ANNOTATIONS, JOBS, *IDENTITIES, RUN_FILES, *_NOTES)
NAMES = frozenset(re.findall(r"CREATE TABLE (\w+)", "\n".join(_SCRIPTS)))
"""Names of the tables."""
