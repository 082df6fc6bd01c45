-- Ten million dates in less than a gigabyte and a half: numbers for words, the name of a machine and of its boot once,
-- and instants as microseconds after the date. For people: `readable_sessions` and `readable_attempts`, at the end.
--
-- state    0 waiting, 1 succeeded, 2 running, 3 failed, 4 held, 5 skipped
-- trigger  0 schedule, 1 catch-up, 2 backfill, 3 manual, 4 required, 5 retry (attempts only)
-- outcome  0 succeeded, 1 failed, 2 killed, 3 timed-out, 4 cancelled, 5 interrupted, 6 lost
-- The most frequent are 0 and 1, which take no room in a row.

-- Below 0: a machine, while the boot that an attempt's process belongs to is not known.
CREATE TABLE boots (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id <> 0),
    host TEXT NOT NULL,
    boot_id TEXT,
    UNIQUE (host, boot_id),
    CHECK ((boot_id IS NULL) = (id < 0))
);

CREATE UNIQUE INDEX boots_host ON boots (host) WHERE boot_id IS NULL;

INSERT INTO boots (id, host, boot_id)
SELECT row_number() OVER (ORDER BY min(date), host, boot_id), host, boot_id
FROM attempts WHERE boot_id IS NOT NULL GROUP BY host, boot_id;
INSERT INTO boots (id, host, boot_id)
SELECT -row_number() OVER (ORDER BY min(date), host), host, NULL FROM attempts WHERE boot_id IS NULL GROUP BY host;

ALTER TABLE sessions RENAME TO old_sessions;
ALTER TABLE attempts RENAME TO old_attempts;
ALTER INDEX sessions_pkey RENAME TO old_sessions_pkey;
ALTER INDEX attempts_pkey RENAME TO old_attempts_pkey;
DROP INDEX sessions_date;
DROP INDEX sessions_unsettled;
DROP INDEX attempts_date;
DROP INDEX attempts_open;

CREATE TABLE sessions (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    date BIGINT NOT NULL,
    state SMALLINT NOT NULL CHECK (state BETWEEN 0 AND 5),
    trigger SMALLINT NOT NULL CHECK (trigger BETWEEN 0 AND 4),
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    used INTEGER NOT NULL CHECK (used BETWEEN 0 AND attempts),
    -- An instant.
    retry_at BIGINT,
    reason TEXT,
    -- Microseconds after the date.
    recorded_after BIGINT NOT NULL,
    settled_after BIGINT,
    backfill_id BIGINT,
    settled_by TEXT,
    PRIMARY KEY (job_id, generation, date),
    CHECK ((settled_after IS NOT NULL) = (state IN (1, 5))),
    CHECK ((retry_at IS NOT NULL) = (state = 3)),
    CHECK ((reason IS NOT NULL) = (state IN (4, 5))),
    CHECK (state <> 5 OR reason IN ('superseded', 'too-old', 'operator', 'overtime')),
    CHECK (state NOT IN (2, 3) OR attempts >= 1),
    CHECK (settled_by IS NULL OR (settled_by IN ('operator', 'done-when') AND state = 1))
);

CREATE TABLE attempts (
    job_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    date BIGINT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    trigger SMALLINT NOT NULL CHECK (trigger BETWEEN 0 AND 5),
    boot INTEGER NOT NULL REFERENCES boots (id),
    pid INTEGER,
    start_ticks BIGINT,
    -- Microseconds after the date.
    started_after BIGINT NOT NULL,
    ended_after BIGINT,
    outcome SMALLINT CHECK (outcome BETWEEN 0 AND 6),
    exit_code INTEGER,
    signal INTEGER,
    duration_micros BIGINT CHECK (duration_micros >= 0),
    detail TEXT,
    has_log BOOLEAN NOT NULL,
    cpu_user_micros BIGINT CHECK (cpu_user_micros >= 0),
    cpu_system_micros BIGINT CHECK (cpu_system_micros >= 0),
    peak_memory_bytes BIGINT CHECK (peak_memory_bytes >= 0),
    PRIMARY KEY (job_id, generation, date, number),
    FOREIGN KEY (job_id, generation, date) REFERENCES sessions (job_id, generation, date),
    CHECK ((outcome IS NULL) = (ended_after IS NULL)),
    CHECK (outcome IS NOT NULL OR (duration_micros IS NULL AND detail IS NULL AND NOT has_log)),
    CHECK ((exit_code IS NOT NULL) = (outcome IS NOT NULL AND outcome = 1)),
    CHECK ((signal IS NOT NULL) = (outcome IS NOT NULL AND outcome = 2)),
    CHECK ((pid IS NULL) = (start_ticks IS NULL) AND (pid IS NULL) = (boot < 0)),
    CHECK (
        (cpu_user_micros IS NULL) = (peak_memory_bytes IS NULL)
        AND (cpu_system_micros IS NULL) = (peak_memory_bytes IS NULL)
        AND (outcome IS NOT NULL OR peak_memory_bytes IS NULL)
    )
);

INSERT INTO sessions (
    job_id, generation, date, state, trigger, attempts, used, retry_at, reason, recorded_after, settled_after,
    backfill_id, settled_by
)
SELECT
    job_id, generation, date,
    CASE state
        WHEN 'waiting' THEN 0 WHEN 'succeeded' THEN 1 WHEN 'running' THEN 2
        WHEN 'failed' THEN 3 WHEN 'held' THEN 4 WHEN 'skipped' THEN 5
    END,
    CASE trigger WHEN 'schedule' THEN 0 WHEN 'catch-up' THEN 1 WHEN 'backfill' THEN 2 WHEN 'manual' THEN 3 END,
    attempts, used, retry_at, reason, recorded_at - date, settled_at - date, backfill_id, settled_by
FROM old_sessions ORDER BY job_id, generation, date;

INSERT INTO attempts (
    job_id, generation, date, number, trigger, boot, pid, start_ticks, started_after, ended_after, outcome, exit_code,
    signal, duration_micros, detail, has_log, cpu_user_micros, cpu_system_micros, peak_memory_bytes
)
SELECT
    job_id, generation, date, number,
    CASE trigger
        WHEN 'schedule' THEN 0 WHEN 'catch-up' THEN 1 WHEN 'backfill' THEN 2 WHEN 'manual' THEN 3 WHEN 'retry' THEN 5
    END,
    (SELECT id FROM boots WHERE boots.host = a.host AND boots.boot_id IS NOT DISTINCT FROM a.boot_id),
    pid, start_ticks, started_at - date, ended_at - date,
    CASE outcome
        WHEN 'succeeded' THEN 0 WHEN 'failed' THEN 1 WHEN 'killed' THEN 2 WHEN 'timed-out' THEN 3
        WHEN 'cancelled' THEN 4 WHEN 'interrupted' THEN 5 WHEN 'lost' THEN 6
    END,
    exit_code, signal, duration_micros, detail, has_log, cpu_user_micros, cpu_system_micros, peak_memory_bytes
FROM old_attempts AS a ORDER BY job_id, generation, date, number;

DROP TABLE old_attempts;
DROP TABLE old_sessions;

-- Attempts by date are found through it, too: unique, so that their order is known to need no sorting.
CREATE UNIQUE INDEX sessions_date ON sessions (date, job_id, generation);
CREATE INDEX sessions_unsettled ON sessions (job_id, generation, state, date) WHERE settled_after IS NULL;
-- Unique: two open attempts at one date are impossible, whatever the code believes.
CREATE UNIQUE INDEX attempts_open ON attempts (job_id, generation, date) WHERE outcome IS NULL;

-- For people who open the ledger by hand: words, names, and instants in UTC.
CREATE VIEW readable_sessions AS
SELECT
    jobs.name AS job,
    sessions.generation,
    to_char(
        timestamp 'epoch' + sessions.date * interval '1 microsecond',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) AS date,
    CASE sessions.state
        WHEN 0 THEN 'waiting' WHEN 1 THEN 'succeeded' WHEN 2 THEN 'running' WHEN 3 THEN 'failed'
        WHEN 4 THEN 'held' WHEN 5 THEN 'skipped'
    END AS state,
    CASE sessions.trigger
        WHEN 0 THEN 'schedule' WHEN 1 THEN 'catch-up' WHEN 2 THEN 'backfill' WHEN 3 THEN 'manual'
        WHEN 4 THEN 'required'
    END AS trigger,
    sessions.attempts,
    sessions.used,
    to_char(
        timestamp 'epoch' + sessions.retry_at * interval '1 microsecond',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) AS retry_at,
    sessions.reason,
    to_char(
        timestamp 'epoch' + (sessions.date + sessions.recorded_after) * interval '1 microsecond',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) AS recorded_at,
    to_char(
        timestamp 'epoch' + (sessions.date + sessions.settled_after) * interval '1 microsecond',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) AS settled_at,
    sessions.backfill_id,
    sessions.settled_by
FROM sessions JOIN jobs ON jobs.id = sessions.job_id;

CREATE VIEW readable_attempts AS
SELECT
    jobs.name AS job,
    attempts.generation,
    to_char(
        timestamp 'epoch' + attempts.date * interval '1 microsecond',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) AS date,
    attempts.number,
    CASE attempts.trigger
        WHEN 0 THEN 'schedule' WHEN 1 THEN 'catch-up' WHEN 2 THEN 'backfill' WHEN 3 THEN 'manual'
        WHEN 4 THEN 'required' WHEN 5 THEN 'retry'
    END AS trigger,
    boots.host,
    attempts.pid,
    attempts.start_ticks,
    boots.boot_id,
    to_char(
        timestamp 'epoch' + (attempts.date + attempts.started_after) * interval '1 microsecond',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) AS started_at,
    to_char(
        timestamp 'epoch' + (attempts.date + attempts.ended_after) * interval '1 microsecond',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) AS ended_at,
    CASE attempts.outcome
        WHEN 0 THEN 'succeeded' WHEN 1 THEN 'failed' WHEN 2 THEN 'killed' WHEN 3 THEN 'timed-out'
        WHEN 4 THEN 'cancelled' WHEN 5 THEN 'interrupted' WHEN 6 THEN 'lost'
    END AS outcome,
    attempts.exit_code,
    attempts.signal,
    attempts.duration_micros,
    attempts.detail,
    attempts.has_log,
    attempts.cpu_user_micros,
    attempts.cpu_system_micros,
    attempts.peak_memory_bytes
FROM attempts JOIN jobs ON jobs.id = attempts.job_id JOIN boots ON boots.id = attempts.boot;
