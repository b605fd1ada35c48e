//! Why a client was rejected: the name in logs and metrics, and what to check.

use std::io;

use axum::http::{Method, StatusCode};
use rustls::{AlertDescription, CertificateError, Error};

use super::Role;

/// A reason: one of the constants below, so that a label has no other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Why {
    /// The label `why` of the metric.
    pub label: &'static str,
    /// The cause, and what to do about it.
    pub text: &'static str,
}

macro_rules! reasons {
    ($($name:ident = $label:literal: $text:literal;)*) => {
        $(pub const $name: Why = Why { label: $label, text: $text };)*
    };
}

// Of handshakes.
reasons! {
    UNKNOWN_CA = "tls_unknown_ca":
        "its client certificate is not signed by a CA in client_ca_file";
    NO_CERTIFICATE = "tls_no_certificate":
        "it has no client certificate, and client_certificate_required is set";
    EXPIRED = "tls_expired":
        "its client certificate is expired or not yet valid: renew it, or check the clocks";
    PURPOSE = "tls_purpose":
        "its certificate is not valid for clients: it needs the extended key usage clientAuth";
    CERTIFICATE = "tls_certificate":
        "its client certificate cannot be used";
    CA_NOT_TRUSTED = "tls_ca_not_trusted":
        "it does not trust the CA of our certificate: give it the CA (certificate-authority in a kubeconfig)";
    NOT_ACCEPTED = "tls_not_accepted":
        "it rejects our certificate: check that the certificate has the name or address it connects to, that \
         it trusts the CA, and that the certificate has not expired";
    PLAIN_HTTP = "tls_plain_http":
        "it sent plain HTTP to a TLS port: use https";
    VERSION = "tls_version":
        "no TLS version or cipher in common: this port supports TLS 1.2 and 1.3";
    TOO_SLOW = "tls_too_slow":
        "its handshake took longer than handshake_seconds_max";
    NO_TLS = "tls_other":
        "its TLS handshake is invalid";
}

// Of requests.
reasons! {
    NO_HTTP = "no_http":
        "it did not send HTTP: if it sent TLS to a port without TLS, use http, or set tls_certificate_file \
         and tls_key_file";
    HEADER = "header_too_large":
        "the request's header is over header_bytes_max";
    UNAUTHORIZED = "unauthorized":
        "no known token or client certificate: see [[access.ingest]] and [[access.api]]; an API server sends \
         no certificate whose CA is not in client_ca_file";
    FORBIDDEN = "forbidden":
        "authenticated, but not allowed to do this: see clusters and namespaces of its entry in \
         [[access.ingest]] or [[access.api]]; or the request came from a web page";
    NOT_FOUND = "not_found":
        "unknown path: send audit events to /v1/audit/CLUSTER at ingest.listen, queries to api.listen";
    METHOD = "method_not_allowed":
        "method not allowed: send audit events by POST";
    BROKEN = "bad_request":
        "the body ended early or does not match its encoding, or the path has no cluster";
    SLOW = "timeout":
        "the body did not arrive in time";
    TOO_LARGE = "too_large":
        "the body is over webhook.body_bytes_max, or compressed and over webhook.event_bytes_max";
    UNSUPPORTED = "unsupported":
        "the content encoding is neither gzip nor zstd, or the content type is that of a web form";
    MISDIRECTED = "misdirected":
        "its Host header is not this machine's own name: without authentication only 127.0.0.1 and localhost \
         are served";
    UNAVAILABLE = "unavailable":
        "asked to retry: the memory budget for bodies or the spool is exhausted (see \"bygone spool status\")";
    OTHER = "other":
        "refused";
}

impl Why {
    /// For a failed handshake. `None` where nothing was rejected: the client disconnected.
    pub fn of_handshake(error: &io::Error) -> Option<Why> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        Some(match error {
            Error::InvalidCertificate(cause) => of_certificate(cause),
            Error::NoCertificatesPresented => NO_CERTIFICATE,
            Error::AlertReceived(alert) => of_alert(*alert),
            Error::PeerIncompatible(_) => VERSION,
            _ => NO_TLS,
        })
    }

    /// For a response; `None` where it rejects nobody. Queries that can't be answered are reported to the client: the
    /// API only counts clients without permission, and the webhook counts senders whose events are not accepted.
    pub fn of_answer(role: Role, method: &Method, status: StatusCode) -> Option<Why> {
        let is_known = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST => {
                true
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                role == Role::Ingest || method == Method::POST
            }
            StatusCode::SERVICE_UNAVAILABLE => role == Role::Ingest,
            status => role == Role::Ingest && status.is_client_error(),
        };
        is_known.then(|| of_status(status))
    }
}

fn of_certificate(cause: &CertificateError) -> Why {
    match cause {
        // A CA of the same name and another key, which a second run of a script makes.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => UNKNOWN_CA,
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => EXPIRED,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            PURPOSE
        }
        _ => CERTIFICATE,
    }
}

/// The client's alert about our certificate. Go sends `bad_certificate` for every problem; OpenSSL distinguishes an
/// unknown CA and an expired certificate, and checks the name after the handshake.
fn of_alert(alert: AlertDescription) -> Why {
    match alert {
        AlertDescription::UnknownCA => CA_NOT_TRUSTED,
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        // A signature that is not from the CA that it knows by this name.
        | AlertDescription::DecryptError => NOT_ACCEPTED,
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => VERSION,
        _ => NO_TLS,
    }
}

fn of_status(status: StatusCode) -> Why {
    match status {
        StatusCode::BAD_REQUEST => BROKEN,
        StatusCode::UNAUTHORIZED => UNAUTHORIZED,
        StatusCode::FORBIDDEN => FORBIDDEN,
        StatusCode::NOT_FOUND => NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED => METHOD,
        StatusCode::REQUEST_TIMEOUT => SLOW,
        StatusCode::PAYLOAD_TOO_LARGE => TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => UNSUPPORTED,
        StatusCode::MISDIRECTED_REQUEST => MISDIRECTED,
        StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn label(why: Option<Why>) -> &'static str {
        why.map_or("-", |why| why.label)
    }

    #[test]
    fn a_handshake_fails_for_a_reason() {
        let of = |error: Error| {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            label(Why::of_handshake(&error))
        };
        let certificate = |cause| of(Error::InvalidCertificate(cause));
        assert_eq!(
            certificate(CertificateError::UnknownIssuer),
            "tls_unknown_ca"
        );
        assert_eq!(
            certificate(CertificateError::BadSignature),
            "tls_unknown_ca"
        );
        assert_eq!(certificate(CertificateError::Expired), "tls_expired");
        assert_eq!(certificate(CertificateError::InvalidPurpose), "tls_purpose");
        assert_eq!(
            certificate(CertificateError::BadEncoding),
            "tls_certificate"
        );
        assert_eq!(of(Error::NoCertificatesPresented), "tls_no_certificate");
        let alert = |alert| of(Error::AlertReceived(alert));
        assert_eq!(alert(AlertDescription::UnknownCA), "tls_ca_not_trusted");
        assert_eq!(alert(AlertDescription::BadCertificate), "tls_not_accepted");
        assert_eq!(alert(AlertDescription::ProtocolVersion), "tls_version");
        assert_eq!(alert(AlertDescription::Unknown(200)), "tls_other");
        assert_eq!(of(Error::DecryptError), "tls_other");
        // A port that is looked at and left again, as health checks do.
        let gone = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(label(Why::of_handshake(&gone)), "-");
    }

    #[test]
    fn an_answer_refuses_or_not() {
        let table: String = (200..600)
            .filter_map(|code| StatusCode::from_u16(code).ok())
            .filter_map(|status| {
                let of = |role, method| label(Why::of_answer(role, &method, status));
                let told = [
                    of(Role::Ingest, Method::POST),
                    of(Role::Api, Method::GET),
                    of(Role::Api, Method::POST),
                ];
                let is_named = status.canonical_reason().is_some() && told != ["-"; 3];
                is_named.then(|| format!("{} {}\n", status.as_u16(), told.join(" ")))
            })
            .filter(|line| !line.ends_with("other - -\n"))
            .collect();
        expect![[r#"
            400 bad_request - -
            401 unauthorized unauthorized unauthorized
            403 forbidden forbidden forbidden
            404 not_found - not_found
            405 method_not_allowed - method_not_allowed
            408 timeout - -
            413 too_large - -
            415 unsupported - -
            421 misdirected misdirected misdirected
            503 unavailable - -
        "#]]
        .assert_eq(&table);
    }
}
