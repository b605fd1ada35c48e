#![no_main]

#[path = "checks/webhook.rs"]
mod checks;
mod corpus;
#[path = "../../tests/it/forms.rs"]
#[allow(dead_code, reason = "what is expected of them does not matter here")]
mod forms;

libfuzzer_sys::fuzz_target!(
    init: corpus::seed("webhook", checks::seeds),
    |input: &[u8]| checks::check(input)
);
