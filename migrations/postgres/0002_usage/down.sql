ALTER TABLE attempts
    DROP COLUMN peak_memory_bytes,
    DROP COLUMN cpu_system_micros,
    DROP COLUMN cpu_user_micros;
