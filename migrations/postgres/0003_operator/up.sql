-- What operators change: backfills, dates that they settle, and jobs that they disable.

-- An operator's order for past dates, by the number of the request in the audit. Its dates are sessions that name it.
CREATE TABLE backfills (
    id BIGINT NOT NULL PRIMARY KEY,
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    name TEXT CHECK (name <> ''),
    newest_first BOOLEAN NOT NULL,
    parallel INTEGER NOT NULL CHECK (parallel >= 1),
    entered_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX backfills_name ON backfills (job_id, name) WHERE name IS NOT NULL;

-- Set while, and after, a date belongs to a backfill.
ALTER TABLE sessions ADD COLUMN backfill_id BIGINT;
-- How a date succeeded of which no attempt did.
ALTER TABLE sessions ADD COLUMN settled_by TEXT CHECK (
    settled_by IS NULL OR (settled_by IN ('operator', 'done-when') AND state = 'succeeded')
);

-- A job that an operator disabled, until when, and who it was.
CREATE TABLE disabled (
    job_id INTEGER NOT NULL PRIMARY KEY REFERENCES jobs (id),
    at BIGINT NOT NULL,
    until BIGINT,
    user_name TEXT NOT NULL,
    reason TEXT,
    CHECK (until > at)
);

-- How many dates a request changed.
ALTER TABLE audit ADD COLUMN dates BIGINT;
