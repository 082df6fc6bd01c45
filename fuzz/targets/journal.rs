#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crontabber_fuzz::journal::check(data));
