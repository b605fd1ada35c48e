//! Why a server gave no answer, and what to do about it.

use std::error::Error;
use std::io;
use std::path::Path;

use anyhow::anyhow;
use jiff::Timestamp;
use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use super::Server;

/// The reason in one line. A server whose certificate is refused does answer, so it is never asked whether that runs.
pub fn why(server: &Server, error: reqwest::Error) -> anyhow::Error {
    let base = &server.base;
    let cause = anyhow!(error.without_url());
    let Some(rustls::Error::InvalidCertificate(why)) = cause.chain().find_map(of_tls) else {
        let cause = cause.root_cause();
        return anyhow!("no bygone is reachable at {base}: {cause}: is \"bygone serve\" running?");
    };
    let found = server.found.as_ref();
    match found.and_then(|found| found.certificate_file.as_ref()) {
        Some(file) if server.ca_file.is_none() => anyhow!(
            "{base} presents another certificate than {}: if it was just renewed, try again; otherwise pass --ca-file",
            file.display()
        ),
        _ => anyhow!("{}", refused(base, why, server.ca_file.as_deref())),
    }
}

/// What is wrong with the certificate that the server at `base` shows.
fn refused(base: &str, why: &CertificateError, ca_file: Option<&Path>) -> String {
    let certificate = format!("the certificate of {base}");
    match why {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!(
                "{certificate} expired at {}: renew it there",
                instant(*not_after)
            )
        }
        CertificateError::Expired => format!("{certificate} has expired: renew it there"),
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "{certificate} is not valid before {}: check the clocks of both machines",
            instant(*not_before)
        ),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!(
                "{certificate} names no host: give the server one with a subjectAltName for the host of --server"
            )
        }
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "{certificate} is not for that host, but for {}: use one of these in --server",
            names(presented)
        ),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => match ca_file {
            None => format!(
                "{certificate} is not trusted: pass --ca-file with its CA's certificate, or with the certificate itself"
            ),
            Some(file) => format!(
                "{certificate} is not trusted: it is not in {file}, and no CA of that file signed it: \
                 pass --ca-file with its CA's certificate, or with the certificate itself",
                file = file.display()
            ),
        },
        // A self-signed certificate is only trusted if it is in the file itself.
        CertificateError::Other(other) if is_of_a_ca(other) => format!(
            "{certificate} is not trusted: it is self-signed: pass --ca-file with the certificate itself"
        ),
        other => format!("{certificate} cannot be used: {other}"),
    }
}

fn is_of_a_ca(error: &rustls::OtherError) -> bool {
    matches!(
        error.0.downcast_ref(),
        Some(webpki::Error::CaUsedAsEndEntity)
    )
}

fn instant(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
}

/// webpki writes `DnsName("localhost")` and `IpAddress(127.0.0.1)`.
fn names(presented: &[String]) -> String {
    let bare = presented.iter().map(|name| {
        let inner = name.split_once('(').map_or(&**name, |(_, inner)| inner);
        inner.trim_end_matches(')').trim_matches('"')
    });
    bare.collect::<Vec<_>>().join(", ")
}

/// `source` of an I/O error skips its content, so the content is checked first.
fn of_tls<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let io = error
        .downcast_ref::<io::Error>()
        .and_then(|io| io.get_ref());
    match io {
        None => error.downcast_ref(),
        Some(inner) => of_tls(inner),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::OtherError;
    use rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn what_is_said_of_certificates() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let name = || ServerName::try_from("bygone.example").unwrap();
        let presented = ["DnsName(\"localhost\")", "IpAddress(127.0.0.1)"];
        let cases = [
            CertificateError::ExpiredContext {
                time: at(1_790_000_000),
                not_after: at(1_700_000_000),
            },
            CertificateError::NotValidYetContext {
                time: at(1_700_000_000),
                not_before: at(1_790_000_000),
            },
            CertificateError::NotValidForNameContext {
                expected: name(),
                presented: presented.map(str::to_owned).to_vec(),
            },
            CertificateError::NotValidForNameContext {
                expected: name(),
                presented: Vec::new(),
            },
            CertificateError::UnknownIssuer,
            CertificateError::Other(OtherError(Arc::new(webpki::Error::CaUsedAsEndEntity))),
            CertificateError::Revoked,
        ];
        let mut said = String::new();
        for case in &cases {
            writeln!(said, "{}", refused("https://b:7071", case, None)).unwrap();
        }
        let file = Some(Path::new("ca.crt"));
        said += &refused("https://b:7071", &CertificateError::UnknownIssuer, file);
        expect_test::expect![[r#"
            the certificate of https://b:7071 expired at 2023-11-14T22:13:20Z: renew it there
            the certificate of https://b:7071 is not valid before 2026-09-21T14:13:20Z: check the clocks of both machines
            the certificate of https://b:7071 is not for that host, but for localhost, 127.0.0.1: use one of these in --server
            the certificate of https://b:7071 names no host: give the server one with a subjectAltName for the host of --server
            the certificate of https://b:7071 is not trusted: pass --ca-file with its CA's certificate, or with the certificate itself
            the certificate of https://b:7071 is not trusted: it is self-signed: pass --ca-file with the certificate itself
            the certificate of https://b:7071 cannot be used: Revoked
            the certificate of https://b:7071 is not trusted: it is not in ca.crt, and no CA of that file signed it: pass --ca-file with its CA's certificate, or with the certificate itself"#]]
        .assert_eq(&said);
    }
}
