#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upsert_core::fuzzing::pipeline(data));
