#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| graphwire_fuzz::frontend_message(bytes));
