#![no_main]

#[path = "checks/spool.rs"]
mod checks;
mod corpus;

libfuzzer_sys::fuzz_target!(
    init: corpus::seed("spool", checks::seeds),
    |input: &[u8]| checks::check(input)
);
