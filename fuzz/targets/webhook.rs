#![no_main]

#[path = "checks/webhook.rs"]
mod checks;
mod corpus;

libfuzzer_sys::fuzz_target!(
    init: corpus::seed("webhook", checks::seeds),
    |input: &[u8]| checks::check(input)
);
