//! Flags of `kubectl logs` that are something else here, or nothing: those who are used to them get what they mean by
//! them, or a sentence about what to use.

use clap::Args;

use super::given;
use crate::cli::Usage;

#[derive(Args)]
pub struct Habits {
    /// All pods of a TYPE/NAME, as always here; puts [pod/NAME/CONTAINER] before each line
    #[arg(long, hide = true, require_equals = true)]
    all_pods: Option<Option<bool>>,
    /// There is no such limit here: instances are read by the page, at most 128 at a time
    #[arg(long, hide = true, value_name = "NUMBER")]
    max_log_requests: Option<u32>,
    #[arg(long, hide = true, require_equals = true)]
    ignore_errors: Option<Option<bool>>,
    #[arg(long, hide = true, value_name = "DURATION")]
    pod_running_timeout: Option<String>,
    #[arg(long, hide = true, require_equals = true)]
    insecure_skip_tls_verify_backend: Option<Option<bool>>,
}

impl Habits {
    /// Refuses what has no meaning here.
    pub fn check(&self) -> Result<(), Usage> {
        let refused = [
            (
                given(self.ignore_errors).is_some(),
                "--ignore-errors: lines that a store does not give would be missing without a word: ask without it, \
                 and for other clusters or pods where a store fails",
            ),
            (
                self.pod_running_timeout.is_some(),
                "--pod-running-timeout: bygone does not wait for pods to start: use --follow, which shows new ones as \
                 they start",
            ),
            (
                given(self.insecure_skip_tls_verify_backend).is_some(),
                "--insecure-skip-tls-verify-backend: bygone asks no kubelet, and its log stores are always verified: \
                 set tls.ca_file of their [[logs]] block",
            ),
        ];
        match refused.into_iter().find(|(is_given, _)| *is_given) {
            Some((_, sentence)) => Err(Usage(sentence.to_owned())),
            None => Ok(()),
        }
    }

    /// Whether one of them asks for the pod before each line.
    pub fn prefix(&self) -> bool {
        given(self.all_pods).is_some()
    }
}
