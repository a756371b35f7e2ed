"""Tables of the third migration: jobs, and which of them made a run or a training."""

JOB_TABLES = (
    """
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
        process_started_at REAL,           -- seconds since 1970
        heartbeat_at TEXT,                 -- NULL: its process has not reported yet
        created_at TEXT NOT NULL,
        started_at TEXT,
        ended_at TEXT,
        updated_at TEXT NOT NULL,
        cancel_requested_at TEXT,
        task TEXT NOT NULL DEFAULT '',
        unit TEXT NOT NULL DEFAULT '',
        done INTEGER NOT NULL DEFAULT 0,
        total INTEGER NOT NULL DEFAULT 0,
        rate REAL,                         -- units a second
        numbers TEXT NOT NULL DEFAULT '{}',
        outputs TEXT NOT NULL DEFAULT '[]', -- JSON list of paths
        error TEXT,
        log_path TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX jobs_by_state ON jobs (state)",
    "CREATE INDEX jobs_by_output_dir ON jobs (output_dir)",
    """
    CREATE UNIQUE INDEX one_live_job_by_output_dir ON jobs (output_dir)
        WHERE state IN ('queued', 'running') AND output_dir <> ''""",
    "ALTER TABLE runs ADD COLUMN job_id INTEGER",  # of jobs; NULL: made before there were any
    "ALTER TABLE trainings ADD COLUMN job_id INTEGER",
    "ALTER TABLE trainings ADD COLUMN best TEXT",  # JSON object; NULL: none chosen yet
    "CREATE INDEX runs_by_job ON runs (job_id)",
    "CREATE INDEX trainings_by_job ON trainings (job_id)",
    # Older programs gave no sign of life. One that runs on says itself how it ends.
    "UPDATE runs SET state = 'interrupted' WHERE state = 'running'",
    "UPDATE trainings SET state = 'interrupted' WHERE state = 'running'",
)
