//! VMUI, the user interface of VictoriaLogs itself.

use super::{Asked, address, encoded};
use crate::logs::config::Config;
use crate::logs::link::Link;
use crate::logs::victorialogs::tenant;

/// VMUI, with the tenant whose lines it shows.
pub struct Vmui {
    address: String,
    tenant: Option<(u32, u32)>,
}

impl Vmui {
    /// # Errors
    ///
    /// When the address or the tenant is invalid.
    pub fn open(link: &Link, config: &Config) -> Result<Vmui, String> {
        Ok(Vmui {
            address: address(link, config.address.as_ref())?,
            tenant: tenant(config.tenant.as_deref())?,
        })
    }

    pub fn url(&self, asked: &Asked) -> Option<String> {
        let query = encoded(asked.query.as_deref()?);
        // In UTC, and in whole seconds.
        let end = format!("{:.0}", jiff::Timestamp::from_second(asked.end_s()).ok()?);
        let end = encoded(end.trim_end_matches('Z'));
        let range = range(asked.end_s() - asked.start_ms().div_euclid(1000));
        let tenant = match self.tenant {
            Some((account, project)) => format!("&accountID={account}&projectID={project}"),
            None => String::new(),
        };
        Some(format!(
            "{}/select/vmui/?#/?query={query}&g0.range_input={range}&g0.end_input={end}\
             &g0.relative_time=none{tenant}",
            self.address
        ))
    }
}

/// As VMUI writes durations: `1d2h3m4s`.
fn range(seconds: i64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let mut rest = seconds.max(1);
    let mut range = String::new();
    for (unit, length) in units {
        if rest >= length {
            range.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    range
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn durations() {
        for (seconds, expected) in [
            (0, "1s"),
            (59, "59s"),
            (3_600, "1h"),
            (3_253, "54m13s"),
            (90_061, "1d1h1m1s"),
        ] {
            assert_eq!(range(seconds), expected);
        }
    }
}
