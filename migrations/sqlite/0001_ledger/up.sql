-- Instants are microseconds since 1970-01-01T00:00:00Z. Words and rules: the README, "The ledger". Codes, so that a
-- session with its attempt takes at most 160 bytes; the views at the end show them as words:
-- state    0 waiting, 1 succeeded, 2 running, 3 failed, 4 held, 5 skipped
-- trigger  0 schedule, 1 catch-up, 2 backfill, 3 manual, 4 required, 5 retry (attempts only)
-- outcome  0 succeeded, 1 failed, 2 killed, 3 timed-out, 4 cancelled, 5 interrupted, 6 lost
-- SQLite stores 0 and 1 without a byte in the row, so they are the most frequent.

-- "crtb": marks the file as a ledger.
PRAGMA application_id = 1668445282;

CREATE TABLE jobs (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    -- The name under which the job was entered: a part of its idempotency keys, which a rename does not change.
    stable_name TEXT NOT NULL UNIQUE CHECK (stable_name <> ''),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    -- Generation 0 has what the job had recorded before it took over the dates of its former name.
    has_replaced INTEGER NOT NULL CHECK (has_replaced IN (0, 1)),
    seen_at INTEGER NOT NULL,
    first_date INTEGER NOT NULL,
    timetable_from INTEGER NOT NULL,
    watermark INTEGER,
    timetable TEXT NOT NULL,
    -- Up to the watermark, every period of the timetable after this instant has a date; NULL if the job is not backfillable.
    complete_after INTEGER,
    -- Dates were excluded while the job was disabled, and are decided when it is enabled.
    has_excluded INTEGER NOT NULL CHECK (has_excluded IN (0, 1)),
    -- A digest of what the job ran in the last registry that had it, and whether the last registry in force has it: they tell
    -- a renamed job from a new one.
    action TEXT NOT NULL,
    in_registry INTEGER NOT NULL CHECK (in_registry IN (0, 1)),
    last_success INTEGER,
    -- The dates after this one (of this generation) are in strict order; NULL if the job is in another order.
    strict_after_generation INTEGER CHECK (strict_after_generation >= 0),
    strict_after INTEGER CHECK ((strict_after IS NULL) = (strict_after_generation IS NULL))
) STRICT;

-- The time zones of sessions.
CREATE TABLE zones (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id >= 0),
    name TEXT NOT NULL UNIQUE CHECK (name <> '')
) STRICT;

CREATE TABLE sessions (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    generation INTEGER NOT NULL CHECK (generation >= 0),
    date INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    trigger INTEGER NOT NULL CHECK (trigger BETWEEN 0 AND 4),
    -- The zone of the date: that of the registry when the date was recorded.
    zone_id INTEGER NOT NULL REFERENCES zones (id),
    attempts INTEGER NOT NULL CHECK (attempts >= 0 AND (state NOT IN (2, 3) OR attempts >= 1)),
    counted_attempts INTEGER NOT NULL CHECK (counted_attempts BETWEEN 0 AND attempts),
    retry_at INTEGER CHECK ((retry_at IS NOT NULL) = (state = 3)),
    reason TEXT CHECK (
        (reason IS NOT NULL) = (state IN (4, 5))
        AND (state <> 5 OR reason IN ('superseded', 'too-old', 'operator', 'overtime', 'cancelled', 'excluded', 'moved'))
    ),
    recorded_at INTEGER NOT NULL,
    settled_at INTEGER CHECK ((settled_at IS NOT NULL) = (state IN (1, 5))),
    -- Set while, and after, the date belongs to a backfill.
    backfill_id INTEGER,
    -- Set if the date succeeded without a successful attempt.
    settled_by TEXT CHECK (settled_by IS NULL OR (settled_by IN ('operator', 'done-when') AND state = 1)),
    PRIMARY KEY (job_id, generation, date)
) STRICT, WITHOUT ROWID;

-- Lists attempts by date too. Unique, so that SQLite knows that its order needs no sorting.
CREATE UNIQUE INDEX sessions_date ON sessions (date, job_id, generation);
-- The state is last, so that a change of state stays in the same page.
CREATE INDEX sessions_unsettled ON sessions (job_id, generation, date, state) WHERE settled_at IS NULL;

-- Finds the dates that an edit of the registry may include again; seldom any. The reason makes SQLite prefer it to the primary key.
CREATE INDEX sessions_edited_out ON sessions (job_id, generation, reason, date) WHERE reason IN ('excluded', 'moved');

-- A host and one boot of it. Below 0: a host, for attempts whose process is not known yet.
CREATE TABLE hosts (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id <> 0),
    name TEXT NOT NULL,
    boot_id TEXT CHECK ((boot_id IS NULL) = (id < 0)),
    UNIQUE (name, boot_id)
) STRICT;

CREATE UNIQUE INDEX hosts_name ON hosts (name) WHERE boot_id IS NULL;

CREATE TABLE attempts (
    job_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    date INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    trigger INTEGER NOT NULL CHECK (trigger BETWEEN 0 AND 5),
    -- The same as in its session.
    zone_id INTEGER NOT NULL,
    host_id INTEGER NOT NULL REFERENCES hosts (id),
    pid INTEGER CHECK ((pid IS NULL) = (host_id < 0)),
    start_ticks INTEGER CHECK ((start_ticks IS NULL) = (pid IS NULL)),
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome INTEGER CHECK (outcome BETWEEN 0 AND 6 AND (outcome IS NULL) = (ended_at IS NULL)),
    exit_code INTEGER CHECK ((exit_code IS NOT NULL) = (outcome IS NOT NULL AND outcome = 1)),
    signal INTEGER CHECK ((signal IS NOT NULL) = (outcome IS NOT NULL AND outcome = 2)),
    duration_micros INTEGER CHECK (duration_micros >= 0),
    detail TEXT,
    has_log INTEGER NOT NULL CHECK (has_log IN (0, 1)),
    -- The usage is whole or absent.
    cpu_user_micros INTEGER CHECK (cpu_user_micros >= 0 AND (cpu_user_micros IS NULL) = (peak_memory_bytes IS NULL)),
    cpu_system_micros INTEGER CHECK (cpu_system_micros >= 0 AND (cpu_system_micros IS NULL) = (peak_memory_bytes IS NULL)),
    peak_memory_bytes INTEGER CHECK (peak_memory_bytes >= 0),
    PRIMARY KEY (job_id, generation, date, number),
    FOREIGN KEY (job_id, generation, date) REFERENCES sessions (job_id, generation, date),
    -- An open attempt has nothing of its end.
    CHECK (
        outcome IS NOT NULL OR (duration_micros IS NULL AND detail IS NULL AND NOT has_log AND peak_memory_bytes IS NULL)
    )
) STRICT, WITHOUT ROWID;

-- Unique: the database refuses a second open attempt at one date.
CREATE UNIQUE INDEX attempts_open ON attempts (job_id, generation, date) WHERE outcome IS NULL;
-- The attempts that ended over a day after their date: few, so that what ran recently is found by the dates of that time,
-- and here.
CREATE INDEX attempts_late ON attempts (ended_at) WHERE ended_at > date + 86400000000;

-- An operator's order for past dates; its id is that of the request in the audit. Its dates are sessions that name it.
CREATE TABLE backfills (
    id INTEGER NOT NULL PRIMARY KEY,
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    generation INTEGER NOT NULL CHECK (generation >= 0),
    name TEXT CHECK (name <> ''),
    newest_first INTEGER NOT NULL CHECK (newest_first IN (0, 1)),
    parallel INTEGER NOT NULL CHECK (parallel >= 1),
    entered_at INTEGER NOT NULL,
    -- The request that cancelled it.
    cancelled_by INTEGER
) STRICT;

CREATE UNIQUE INDEX backfills_name ON backfills (job_id, name) WHERE name IS NOT NULL;

-- The times at which `done_when` gave no answer about a date, and how it ended.
CREATE TABLE unanswered (
    job_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    date INTEGER NOT NULL,
    at INTEGER NOT NULL,
    answer TEXT NOT NULL CHECK (answer <> ''),
    PRIMARY KEY (job_id, generation, date, at),
    FOREIGN KEY (job_id, generation, date) REFERENCES sessions (job_id, generation, date)
) STRICT, WITHOUT ROWID;

-- What a settled date was when a backfill let it wait again: it returns to this if it leaves the backfill unattempted, or
-- without success. Rows of dates that succeeded since are history.
CREATE TABLE former_states (
    backfill_id INTEGER NOT NULL REFERENCES backfills (id),
    date INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state IN (1, 5)),
    trigger INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    counted_attempts INTEGER NOT NULL,
    reason TEXT,
    settled_at INTEGER NOT NULL,
    -- The backfill to which it belonged.
    former_id INTEGER,
    settled_by TEXT,
    PRIMARY KEY (backfill_id, date)
) STRICT, WITHOUT ROWID;

-- The dates of a job after an edit whose period has a date already: the date, and the recorded one that stands for it.
CREATE TABLE stand_ins (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    generation INTEGER NOT NULL,
    date INTEGER NOT NULL,
    by_date INTEGER NOT NULL,
    PRIMARY KEY (job_id, generation, date)
) STRICT, WITHOUT ROWID;

-- The jobs that operators disabled.
CREATE TABLE disabled (
    job_id INTEGER NOT NULL PRIMARY KEY REFERENCES jobs (id),
    at INTEGER NOT NULL,
    until INTEGER CHECK (until > at),
    user_name TEXT NOT NULL,
    reason TEXT
) STRICT;

-- The pauses in force: of all jobs (the tag is empty), or of those with a tag.
CREATE TABLE pauses (
    tag TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    until INTEGER CHECK (until > at),
    user_name TEXT NOT NULL,
    reason TEXT
) STRICT;

-- Operators' requests and their answers. A pause is about no job.
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
    -- How many dates the request changed.
    dates INTEGER,
    CHECK ((answered_at IS NULL) = (done IS NULL) AND (answered_at IS NULL) = (answer IS NULL))
) STRICT;

CREATE INDEX audit_unanswered ON audit (id) WHERE answered_at IS NULL;

-- One row: the writer, how often the ledger was opened (epoch), and how many transactions this writer made (batch).
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

-- For people who open the ledger by hand: words, names, and instants in UTC.
CREATE VIEW readable_sessions AS
SELECT
    jobs.name AS job, s.generation,
    strftime('%Y-%m-%dT%H:%M:%S', s.date / 1000000, 'unixepoch') || printf('.%06dZ', s.date % 1000000) AS date,
    '["waiting","succeeded","running","failed","held","skipped"]' ->> s.state AS state,
    '["schedule","catch-up","backfill","manual","required"]' ->> s.trigger AS trigger,
    zones.name AS zone, s.attempts, s.counted_attempts,
    strftime('%Y-%m-%dT%H:%M:%S', s.retry_at / 1000000, 'unixepoch') || printf('.%06dZ', s.retry_at % 1000000) AS retry_at,
    s.reason,
    strftime('%Y-%m-%dT%H:%M:%S', s.recorded_at / 1000000, 'unixepoch') || printf('.%06dZ', s.recorded_at % 1000000) AS recorded_at,
    strftime('%Y-%m-%dT%H:%M:%S', s.settled_at / 1000000, 'unixepoch') || printf('.%06dZ', s.settled_at % 1000000) AS settled_at,
    s.backfill_id, s.settled_by
FROM sessions AS s JOIN jobs ON jobs.id = s.job_id JOIN zones ON zones.id = s.zone_id;

CREATE VIEW readable_attempts AS
SELECT
    jobs.name AS job, a.generation,
    strftime('%Y-%m-%dT%H:%M:%S', a.date / 1000000, 'unixepoch') || printf('.%06dZ', a.date % 1000000) AS date,
    a.number,
    '["schedule","catch-up","backfill","manual","required","retry"]' ->> a.trigger AS trigger,
    hosts.name AS host, a.pid, a.start_ticks, hosts.boot_id,
    strftime('%Y-%m-%dT%H:%M:%S', a.started_at / 1000000, 'unixepoch') || printf('.%06dZ', a.started_at % 1000000) AS started_at,
    strftime('%Y-%m-%dT%H:%M:%S', a.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', a.ended_at % 1000000) AS ended_at,
    '["succeeded","failed","killed","timed-out","cancelled","interrupted","lost"]' ->> a.outcome AS outcome,
    a.exit_code, a.signal, a.duration_micros, a.detail, a.has_log,
    a.cpu_user_micros, a.cpu_system_micros, a.peak_memory_bytes
FROM attempts AS a JOIN jobs ON jobs.id = a.job_id JOIN hosts ON hosts.id = a.host_id;
