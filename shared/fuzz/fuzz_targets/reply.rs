//! Fuzzes the parser of replies: any input must give a reply or an error, without a panic.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| shared::netaxept::parse_for_fuzzing(body));
