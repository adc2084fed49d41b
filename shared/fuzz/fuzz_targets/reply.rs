//! Whatever Nets, or anybody in its place, replies: it is understood or refused, and nothing else happens.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| shared::netaxept::read(body));
