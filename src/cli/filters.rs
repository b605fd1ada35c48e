//! The filters of `get`, as flags. Their values are read where the API's are, by `query`.

use clap::Args;

use crate::query::Params;

#[derive(Args)]
#[command(next_help_heading = "Filters")]
pub struct Filters {
    /// Label selector of the pod: a=b, a!=b, 'a in (b,c)', a, '!a', separated by commas
    #[arg(short = 'l', long = "selector", value_name = "SELECTOR")]
    labels: Option<String>,
    /// Owner, like deploy/web, rs/web-6d4cf56db6, job/report or 'CronJob/report-*'
    #[arg(long, value_name = "KIND/NAME")]
    workload: Option<String>,
    /// Node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Part of the image's name or ID
    #[arg(long, value_name = "TEXT")]
    image: Option<String>,
    /// An IP address of the pod
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// Container ID, or a prefix of it
    #[arg(long, value_name = "PREFIX")]
    container_id: Option<String>,
    /// UID of the pod
    #[arg(long, value_name = "UID")]
    uid: Option<String>,
    /// Current state: running, ended, failed, or for pods pending; a container has
    /// failed if it ended with a failure and nobody had requested its end, a pod if its phase is Failed (not if it
    /// crashed and was restarted)
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Reason of the end, like OOMKilled, Error or Evicted
    #[arg(long, value_name = "NAMES")]
    reason: Option<String>,
    /// Exit code: 137, 137,143, '!=0', '>128'
    #[arg(long, value_name = "NUMBERS", allow_hyphen_values = true)]
    exit_code: Option<String>,
    /// Why it ended: one or more values of ended_why
    #[arg(long, value_name = "WORDS")]
    why: Option<String>,
    /// Account that requested the end, or deleted the node or namespace
    #[arg(long, value_name = "NAMES")]
    by: Option<String>,
    /// Restart count: 3, '>3'; for a container the number of its instance, 0 for the first
    #[arg(long, value_name = "NUMBERS")]
    restarts: Option<String>,
    /// Account that created the pod
    #[arg(long, value_name = "NAMES")]
    created_by: Option<String>,
    /// Service account of the pod
    #[arg(long, value_name = "NAMES")]
    service_account: Option<String>,
    /// For sessions: the account that made the request, or was impersonated
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

impl Filters {
    /// Whether they look up one life, which they name by what is never used again.
    pub fn are_of_one_life(&self) -> bool {
        self.uid.is_some() || self.container_id.is_some()
    }

    /// The parameters that they are; all others are left out.
    pub fn params(&self) -> Params {
        Params {
            labels: self.labels.clone(),
            workload: self.workload.clone(),
            node: self.node.clone(),
            image: self.image.clone(),
            ip: self.ip.clone(),
            container_id: self.container_id.clone(),
            uid: self.uid.clone(),
            state: self.state.clone(),
            reason: self.reason.clone(),
            exit_code: self.exit_code.clone(),
            why: self.why.clone(),
            by: self.by.clone(),
            restarts: self.restarts.clone(),
            created_by: self.created_by.clone(),
            service_account: self.service_account.clone(),
            user: self.user.clone(),
            ..Params::default()
        }
    }
}
