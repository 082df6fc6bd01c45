-- The last one first: its CHECK names the others.
ALTER TABLE attempts DROP COLUMN peak_memory_bytes;
ALTER TABLE attempts DROP COLUMN cpu_system_micros;
ALTER TABLE attempts DROP COLUMN cpu_user_micros;
