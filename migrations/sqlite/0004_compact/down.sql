DROP VIEW readable_attempts;
DROP VIEW readable_sessions;

ALTER TABLE sessions RENAME TO new_sessions;
ALTER TABLE attempts RENAME TO new_attempts;
DROP INDEX sessions_date;
DROP INDEX sessions_unsettled;
DROP INDEX attempts_open;

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
    backfill_id INTEGER,
    settled_by TEXT CHECK (
        settled_by IS NULL OR (settled_by IN ('operator', 'done-when') AND state = 'succeeded')
    ),
    PRIMARY KEY (job_id, generation, date),
    CHECK ((settled_at IS NOT NULL) = (state IN ('succeeded', 'skipped'))),
    CHECK ((retry_at IS NOT NULL) = (state = 'failed')),
    CHECK ((reason IS NOT NULL) = (state IN ('held', 'skipped'))),
    CHECK (state <> 'skipped' OR reason IN ('superseded', 'too-old', 'operator', 'overtime')),
    CHECK (state NOT IN ('running', 'failed') OR attempts >= 1)
) STRICT, WITHOUT ROWID;

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
    cpu_user_micros INTEGER CHECK (cpu_user_micros >= 0),
    cpu_system_micros INTEGER CHECK (cpu_system_micros >= 0),
    peak_memory_bytes INTEGER CHECK (
        (peak_memory_bytes IS NULL OR peak_memory_bytes >= 0)
        AND (cpu_user_micros IS NULL) = (peak_memory_bytes IS NULL)
        AND (cpu_system_micros IS NULL) = (peak_memory_bytes IS NULL)
        AND (outcome IS NOT NULL OR peak_memory_bytes IS NULL)
    ),
    PRIMARY KEY (job_id, generation, date, number),
    FOREIGN KEY (job_id, generation, date) REFERENCES sessions (job_id, generation, date),
    CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CHECK (outcome IS NOT NULL OR (duration_micros IS NULL AND detail IS NULL AND NOT has_log)),
    CHECK ((exit_code IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'failed')),
    CHECK ((signal IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'killed')),
    CHECK ((pid IS NULL) = (start_ticks IS NULL) AND (pid IS NULL) = (boot_id IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO sessions (
    job_id, generation, date, state, trigger, attempts, used, retry_at, reason, recorded_at, settled_at, backfill_id,
    settled_by
)
SELECT
    job_id, generation, date,
    CASE state
        WHEN 0 THEN 'waiting' WHEN 1 THEN 'succeeded' WHEN 2 THEN 'running' WHEN 3 THEN 'failed'
        WHEN 4 THEN 'held' WHEN 5 THEN 'skipped'
    END,
    -- A word that was not there yet: someone asked for that date, too.
    CASE trigger
        WHEN 0 THEN 'schedule' WHEN 1 THEN 'catch-up' WHEN 2 THEN 'backfill' WHEN 3 THEN 'manual'
        WHEN 4 THEN 'manual'
    END,
    attempts, used, retry_at, reason, date + recorded_after, date + settled_after, backfill_id, settled_by
FROM new_sessions ORDER BY job_id, generation, date;

INSERT INTO attempts (
    job_id, generation, date, number, trigger, host, pid, start_ticks, boot_id, started_at, ended_at, outcome,
    exit_code, signal, duration_micros, detail, has_log, cpu_user_micros, cpu_system_micros, peak_memory_bytes
)
SELECT
    job_id, generation, date, number,
    CASE trigger
        WHEN 0 THEN 'schedule' WHEN 1 THEN 'catch-up' WHEN 2 THEN 'backfill' WHEN 3 THEN 'manual'
        WHEN 4 THEN 'manual' WHEN 5 THEN 'retry'
    END,
    host, pid, start_ticks, boot_id, date + started_after, date + ended_after,
    CASE outcome
        WHEN 0 THEN 'succeeded' WHEN 1 THEN 'failed' WHEN 2 THEN 'killed' WHEN 3 THEN 'timed-out'
        WHEN 4 THEN 'cancelled' WHEN 5 THEN 'interrupted' WHEN 6 THEN 'lost'
    END,
    exit_code, signal, duration_micros, detail, has_log, cpu_user_micros, cpu_system_micros, peak_memory_bytes
FROM new_attempts JOIN boots ON boots.id = boot ORDER BY job_id, generation, date, number;

DROP TABLE new_attempts;
DROP TABLE new_sessions;
DROP TABLE boots;

CREATE INDEX sessions_date ON sessions (date, job_id, generation);
CREATE INDEX sessions_unsettled ON sessions (job_id, generation, state, date) WHERE settled_at IS NULL;
CREATE INDEX attempts_date ON attempts (date, job_id, generation, number);
CREATE UNIQUE INDEX attempts_open ON attempts (job_id, generation, date) WHERE outcome IS NULL;
