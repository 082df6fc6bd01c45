-- Instants are microseconds since 1970-01-01T00:00:00Z. Words and rules: the README, "The ledger".

-- "crtb": tells a ledger from any other SQLite file.
PRAGMA application_id = 1668445282;

CREATE TABLE jobs (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    seen_at INTEGER NOT NULL,
    since INTEGER NOT NULL,
    anchor INTEGER NOT NULL,
    clock INTEGER,
    timetable TEXT NOT NULL,
    last_success INTEGER
) STRICT;

-- Without a rowid the table is its own primary key's index: ten million dates fit in little more than a gigabyte.
CREATE TABLE sessions (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    date INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'succeeded', 'failed', 'held', 'skipped')),
    trigger TEXT NOT NULL CHECK (trigger IN ('schedule', 'catch-up', 'backfill', 'manual')),
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    used INTEGER NOT NULL CHECK (used BETWEEN 0 AND attempts),
    retry_at INTEGER,
    reason TEXT,
    recorded_at INTEGER NOT NULL,
    settled_at INTEGER,
    PRIMARY KEY (job_id, generation, date),
    CHECK ((settled_at IS NOT NULL) = (state IN ('succeeded', 'skipped'))),
    CHECK ((retry_at IS NOT NULL) = (state = 'failed')),
    CHECK ((reason IS NOT NULL) = (state IN ('held', 'skipped'))),
    CHECK (state <> 'skipped' OR reason IN ('superseded', 'too-old', 'operator', 'overtime')),
    CHECK (state NOT IN ('running', 'failed') OR attempts >= 1)
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_date ON sessions (date, job_id, generation);
CREATE INDEX sessions_unsettled ON sessions (job_id, generation, state, date) WHERE settled_at IS NULL;

CREATE TABLE attempts (
    job_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    date INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    trigger TEXT NOT NULL CHECK (trigger IN ('schedule', 'catch-up', 'backfill', 'manual', 'retry')),
    host TEXT NOT NULL,
    pid INTEGER,
    start_ticks INTEGER,
    boot_id TEXT,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT CHECK (
        outcome IN ('succeeded', 'failed', 'killed', 'timed-out', 'cancelled', 'interrupted', 'lost')
    ),
    exit_code INTEGER,
    signal INTEGER,
    duration_micros INTEGER CHECK (duration_micros >= 0),
    detail TEXT,
    has_log INTEGER NOT NULL CHECK (has_log IN (0, 1)),
    PRIMARY KEY (job_id, generation, date, number),
    FOREIGN KEY (job_id, generation, date) REFERENCES sessions (job_id, generation, date),
    CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CHECK (outcome IS NOT NULL OR (duration_micros IS NULL AND detail IS NULL AND NOT has_log)),
    CHECK ((exit_code IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'failed')),
    CHECK ((signal IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'killed')),
    CHECK ((pid IS NULL) = (start_ticks IS NULL) AND (pid IS NULL) = (boot_id IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_date ON attempts (date, job_id, generation, number);
-- Unique: two open attempts at one date are impossible, whatever the code believes.
CREATE UNIQUE INDEX attempts_open ON attempts (job_id, generation, date) WHERE outcome IS NULL;

CREATE TABLE audit (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    user_name TEXT NOT NULL,
    host TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action <> ''),
    job TEXT NOT NULL,
    from_date INTEGER,
    to_date INTEGER,
    detail TEXT NOT NULL,
    reason TEXT,
    answered_at INTEGER,
    done INTEGER CHECK (done IN (0, 1)),
    answer TEXT,
    CHECK ((answered_at IS NULL) = (done IS NULL) AND (answered_at IS NULL) = (answer IS NULL))
) STRICT;

CREATE INDEX audit_unanswered ON audit (id) WHERE answered_at IS NULL;

-- One row: who writes, how often the ledger was opened (epoch), and how many transactions this writer made (batch).
CREATE TABLE writer (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    since INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    batch INTEGER NOT NULL
) STRICT;

INSERT INTO writer (id, host, pid, version, since, epoch, batch) VALUES (1, '', 0, '', 0, 0, 0);
