#![no_main]

#[path = "checks/config.rs"]
mod checks;
mod corpus;

libfuzzer_sys::fuzz_target!(
    init: corpus::seed("config", checks::seeds),
    |input: &[u8]| checks::check(input)
);
