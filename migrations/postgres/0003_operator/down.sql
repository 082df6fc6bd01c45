ALTER TABLE audit DROP COLUMN dates;
DROP TABLE disabled;
ALTER TABLE sessions DROP COLUMN settled_by;
ALTER TABLE sessions DROP COLUMN backfill_id;
DROP TABLE backfills;
