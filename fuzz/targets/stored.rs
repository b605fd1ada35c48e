#![no_main]

#[path = "checks/stored.rs"]
mod checks;
mod corpus;

libfuzzer_sys::fuzz_target!(
    init: corpus::seed("stored", checks::seeds),
    |input: &[u8]| checks::check(input)
);
