-- What an attempt took of the machine: nothing known, or all three. An open attempt has taken nothing yet that counts.
ALTER TABLE attempts
    ADD COLUMN cpu_user_micros BIGINT CHECK (cpu_user_micros >= 0),
    ADD COLUMN cpu_system_micros BIGINT CHECK (cpu_system_micros >= 0),
    ADD COLUMN peak_memory_bytes BIGINT CHECK (peak_memory_bytes >= 0),
    ADD CHECK (
        (cpu_user_micros IS NULL) = (peak_memory_bytes IS NULL)
        AND (cpu_system_micros IS NULL) = (peak_memory_bytes IS NULL)
        AND (outcome IS NOT NULL OR peak_memory_bytes IS NULL)
    );
