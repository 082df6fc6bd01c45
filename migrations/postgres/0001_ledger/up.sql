-- Instants are microseconds since 1970-01-01T00:00:00Z. Words and rules: the README, "The ledger". Codes, so that a
-- session with its attempt takes at most 160 bytes; the views at the end show them as words:
-- state    0 waiting, 1 succeeded, 2 running, 3 failed, 4 held, 5 skipped
-- trigger  0 schedule, 1 catch-up, 2 backfill, 3 manual, 4 required, 5 retry (attempts only)
-- outcome  0 succeeded, 1 failed, 2 killed, 3 timed-out, 4 cancelled, 5 interrupted, 6 lost

CREATE TABLE jobs (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    -- The name under which the job was entered: a part of its idempotency keys, which a rename does not change.
    stable_name TEXT NOT NULL UNIQUE CHECK (stable_name <> ''),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    -- Generation 0 has what the job had recorded before it took over the dates of its former name.
    has_replaced BOOLEAN NOT NULL,
    seen_at BIGINT NOT NULL,
    first_date BIGINT NOT NULL,
    timetable_from BIGINT NOT NULL,
    watermark BIGINT,
    timetable TEXT NOT NULL,
    -- Up to the watermark, every period of the timetable after this instant has a date; NULL if the job is not backfillable.
    complete_after BIGINT,
    -- Dates were excluded while the job was disabled, and are decided when it is enabled.
    has_excluded BOOLEAN NOT NULL,
    -- A digest of what the job ran in the last registry that had it, and whether the last registry in force has it: they tell
    -- a renamed job from a new one.
    action TEXT NOT NULL,
    in_registry BOOLEAN NOT NULL,
    last_success BIGINT,
    -- The dates after this one (of this generation) are in strict order; NULL if the job is in another order.
    strict_after_generation INTEGER CHECK (strict_after_generation >= 0),
    strict_after BIGINT CHECK ((strict_after IS NULL) = (strict_after_generation IS NULL))
);

-- The time zones of sessions.
CREATE TABLE zones (
    id SMALLINT NOT NULL PRIMARY KEY CHECK (id >= 0),
    name TEXT NOT NULL UNIQUE CHECK (name <> '')
);

CREATE TABLE sessions (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    generation INTEGER NOT NULL CHECK (generation >= 0),
    date BIGINT NOT NULL,
    state SMALLINT NOT NULL CHECK (state BETWEEN 0 AND 5),
    trigger SMALLINT NOT NULL CHECK (trigger BETWEEN 0 AND 4),
    -- The zone of the date: that of the registry when the date was recorded.
    zone_id SMALLINT NOT NULL REFERENCES zones (id),
    attempts INTEGER NOT NULL CHECK (attempts >= 0 AND (state NOT IN (2, 3) OR attempts >= 1)),
    counted_attempts INTEGER NOT NULL CHECK (counted_attempts BETWEEN 0 AND attempts),
    retry_at BIGINT CHECK ((retry_at IS NOT NULL) = (state = 3)),
    reason TEXT CHECK (
        (reason IS NOT NULL) = (state IN (4, 5))
        AND (state <> 5 OR reason IN ('superseded', 'too-old', 'operator', 'overtime', 'cancelled', 'excluded', 'moved'))
    ),
    recorded_at BIGINT NOT NULL,
    settled_at BIGINT CHECK ((settled_at IS NOT NULL) = (state IN (1, 5))),
    -- Set while, and after, the date belongs to a backfill.
    backfill_id BIGINT,
    -- Set if the date succeeded without a successful attempt.
    settled_by TEXT CHECK (settled_by IS NULL OR (settled_by IN ('operator', 'done-when') AND state = 1)),
    PRIMARY KEY (job_id, generation, date)
);

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
);

CREATE UNIQUE INDEX hosts_name ON hosts (name) WHERE boot_id IS NULL;

CREATE TABLE attempts (
    job_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    date BIGINT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    trigger SMALLINT NOT NULL CHECK (trigger BETWEEN 0 AND 5),
    -- The same as in its session.
    zone_id SMALLINT NOT NULL,
    host_id INTEGER NOT NULL REFERENCES hosts (id),
    pid INTEGER CHECK ((pid IS NULL) = (host_id < 0)),
    start_ticks BIGINT CHECK ((start_ticks IS NULL) = (pid IS NULL)),
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    outcome SMALLINT CHECK (outcome BETWEEN 0 AND 6 AND (outcome IS NULL) = (ended_at IS NULL)),
    exit_code INTEGER CHECK ((exit_code IS NOT NULL) = (outcome IS NOT NULL AND outcome = 1)),
    signal INTEGER CHECK ((signal IS NOT NULL) = (outcome IS NOT NULL AND outcome = 2)),
    duration_micros BIGINT CHECK (duration_micros >= 0),
    detail TEXT,
    has_log BOOLEAN NOT NULL,
    -- The usage is whole or absent.
    cpu_user_micros BIGINT CHECK (cpu_user_micros >= 0 AND (cpu_user_micros IS NULL) = (peak_memory_bytes IS NULL)),
    cpu_system_micros BIGINT CHECK (cpu_system_micros >= 0 AND (cpu_system_micros IS NULL) = (peak_memory_bytes IS NULL)),
    peak_memory_bytes BIGINT CHECK (peak_memory_bytes >= 0),
    PRIMARY KEY (job_id, generation, date, number),
    FOREIGN KEY (job_id, generation, date) REFERENCES sessions (job_id, generation, date),
    -- An open attempt has nothing of its end.
    CHECK (
        outcome IS NOT NULL OR (duration_micros IS NULL AND detail IS NULL AND NOT has_log AND peak_memory_bytes IS NULL)
    )
);

-- Unique: the database refuses a second open attempt at one date.
CREATE UNIQUE INDEX attempts_open ON attempts (job_id, generation, date) WHERE outcome IS NULL;
-- The attempts that ended over a day after their date: few, so that what ran recently is found by the dates of that time,
-- and here.
CREATE INDEX attempts_late ON attempts (ended_at) WHERE ended_at > date + 86400000000;

-- An operator's order for past dates; its id is that of the request in the audit. Its dates are sessions that name it.
CREATE TABLE backfills (
    id BIGINT NOT NULL PRIMARY KEY,
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    generation INTEGER NOT NULL CHECK (generation >= 0),
    name TEXT CHECK (name <> ''),
    newest_first BOOLEAN NOT NULL,
    parallel INTEGER NOT NULL CHECK (parallel >= 1),
    entered_at BIGINT NOT NULL,
    -- The request that cancelled it.
    cancelled_by BIGINT
);

CREATE UNIQUE INDEX backfills_name ON backfills (job_id, name) WHERE name IS NOT NULL;

-- The times at which `done_when` gave no answer about a date, and how it ended.
CREATE TABLE unanswered (
    job_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    date BIGINT NOT NULL,
    at BIGINT NOT NULL,
    answer TEXT NOT NULL CHECK (answer <> ''),
    PRIMARY KEY (job_id, generation, date, at),
    FOREIGN KEY (job_id, generation, date) REFERENCES sessions (job_id, generation, date)
);

-- What a settled date was when a backfill let it wait again: it returns to this if it leaves the backfill unattempted, or
-- without success. Rows of dates that succeeded since are history.
CREATE TABLE former_states (
    backfill_id BIGINT NOT NULL REFERENCES backfills (id),
    date BIGINT NOT NULL,
    state SMALLINT NOT NULL CHECK (state IN (1, 5)),
    trigger SMALLINT NOT NULL,
    attempts INTEGER NOT NULL,
    counted_attempts INTEGER NOT NULL,
    reason TEXT,
    settled_at BIGINT NOT NULL,
    -- The backfill to which it belonged.
    former_id BIGINT,
    settled_by TEXT,
    PRIMARY KEY (backfill_id, date)
);

-- The dates of a job after an edit whose period has a date already: the date, and the recorded one that stands for it.
CREATE TABLE stand_ins (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    generation INTEGER NOT NULL,
    date BIGINT NOT NULL,
    by_date BIGINT NOT NULL,
    PRIMARY KEY (job_id, generation, date)
);

-- The jobs that operators disabled.
CREATE TABLE disabled (
    job_id INTEGER NOT NULL PRIMARY KEY REFERENCES jobs (id),
    at BIGINT NOT NULL,
    until BIGINT CHECK (until > at),
    user_name TEXT NOT NULL,
    reason TEXT
);

-- The pauses in force: of all jobs (the tag is empty), or of those with a tag.
CREATE TABLE pauses (
    tag TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    until BIGINT CHECK (until > at),
    user_name TEXT NOT NULL,
    reason TEXT
);

-- Operators' requests and their answers. A pause is about no job.
CREATE TABLE audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL,
    user_name TEXT NOT NULL,
    host TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action <> ''),
    job TEXT NOT NULL,
    from_date BIGINT,
    to_date BIGINT,
    detail TEXT NOT NULL,
    reason TEXT,
    answered_at BIGINT,
    done BOOLEAN,
    answer TEXT,
    -- How many dates the request changed.
    dates BIGINT,
    CHECK ((answered_at IS NULL) = (done IS NULL) AND (answered_at IS NULL) = (answer IS NULL))
);

CREATE INDEX audit_unanswered ON audit (id) WHERE answered_at IS NULL;

-- One row: the writer, how often the ledger was opened (epoch), and how many transactions this writer made (batch).
CREATE TABLE writer (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    since BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    batch BIGINT NOT NULL
);

INSERT INTO writer (id, host, pid, version, since, epoch, batch) VALUES (1, '', 0, '', 0, 0, 0);

-- One row: what the daemon reports of itself every ten seconds, as JSON. Apart from `writer`, so that no commit waits for it.
CREATE TABLE heartbeat (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    report TEXT
);

INSERT INTO heartbeat (id) VALUES (1);

-- For people who open the ledger by hand: words, names, and instants in UTC.
CREATE VIEW readable_sessions AS
SELECT
    jobs.name AS job, s.generation,
    to_char(timestamp 'epoch' + s.date * interval '1 microsecond', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS date,
    ('{waiting,succeeded,running,failed,held,skipped}'::text[])[s.state + 1] AS state,
    ('{schedule,catch-up,backfill,manual,required}'::text[])[s.trigger + 1] AS trigger,
    zones.name AS zone, s.attempts, s.counted_attempts,
    to_char(timestamp 'epoch' + s.retry_at * interval '1 microsecond', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS retry_at,
    s.reason,
    to_char(timestamp 'epoch' + s.recorded_at * interval '1 microsecond', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS recorded_at,
    to_char(timestamp 'epoch' + s.settled_at * interval '1 microsecond', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS settled_at,
    s.backfill_id, s.settled_by
FROM sessions AS s JOIN jobs ON jobs.id = s.job_id JOIN zones ON zones.id = s.zone_id;

CREATE VIEW readable_attempts AS
SELECT
    jobs.name AS job, a.generation,
    to_char(timestamp 'epoch' + a.date * interval '1 microsecond', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS date,
    a.number,
    ('{schedule,catch-up,backfill,manual,required,retry}'::text[])[a.trigger + 1] AS trigger,
    hosts.name AS host, a.pid, a.start_ticks, hosts.boot_id,
    to_char(timestamp 'epoch' + a.started_at * interval '1 microsecond', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS started_at,
    to_char(timestamp 'epoch' + a.ended_at * interval '1 microsecond', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS ended_at,
    ('{succeeded,failed,killed,timed-out,cancelled,interrupted,lost}'::text[])[a.outcome + 1] AS outcome,
    a.exit_code, a.signal, a.duration_micros, a.detail, a.has_log,
    a.cpu_user_micros, a.cpu_system_micros, a.peak_memory_bytes
FROM attempts AS a JOIN jobs ON jobs.id = a.job_id JOIN hosts ON hosts.id = a.host_id;
