//! Which suites, groups and clients a configuration chooses, by the names that Go has for them.

use super::section::Section;
use tokio_rustls::rustls::{CipherSuite, NamedGroup};

/// The suites of TLS 1.3, which hold whether or not they are chosen, as in Go.
const ALWAYS: [&str; 3] = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

const SUITES: [(&str, CipherSuite); 6] = [
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

const GROUPS: [(&str, NamedGroup); 3] =
    [("X25519", NamedGroup::X25519), ("CurveP256", NamedGroup::secp256r1), ("CurveP384", NamedGroup::secp384r1)];

/// The suites of TLS 1.2 that are spoken; `None`: all.
pub(super) fn suites(section: &mut Section) -> Result<Option<Vec<CipherSuite>>, String> {
    let Some(names) = section.texts("cipher_suites")?.filter(|names| !names.is_empty()) else { return Ok(None) };
    let mut suites = Vec::new();
    for name in names.iter().filter(|name| !ALWAYS.contains(&name.as_str())) {
        let known = SUITES.iter().find(|(known, _)| known == name);
        suites.push(known.map(|(_, suite)| *suite).ok_or_else(|| {
            let allowed: Vec<_> = ALWAYS.into_iter().chain(SUITES.map(|(name, _)| name)).collect();
            section
                .wrong("cipher_suites", &format!("has an unknown cipher: {name}: allowed are {}", allowed.join(", ")))
        })?);
    }
    Ok(Some(suites))
}

/// The groups that keys are exchanged in, the preferred first; `None`: all.
pub(super) fn groups(section: &mut Section) -> Result<Option<Vec<NamedGroup>>, String> {
    let Some(names) = section.texts("curve_preferences")?.filter(|names| !names.is_empty()) else { return Ok(None) };
    let mut groups = Vec::new();
    for name in &names {
        let known = GROUPS.iter().find(|(known, _)| known == name);
        groups.push(known.map(|(_, group)| *group).ok_or_else(|| {
            let allowed = GROUPS.map(|(name, _)| name).join(", ");
            section.wrong("curve_preferences", &format!("has an unknown curve: {name}: allowed are {allowed}"))
        })?);
    }
    Ok(Some(groups))
}

/// The names of which a client's certificate has to have one; none: any will do. Asked for only where `required`.
pub(super) fn sans(section: &mut Section, required: bool) -> Result<Vec<String>, String> {
    let key = "client_allowed_sans";
    let Some(names) = section.texts(key)? else { return Ok(Vec::new()) };
    if !required {
        return Err(section.wrong(key, "needs client_auth_type: RequireAndVerifyClientCert beside it"));
    }
    if names.is_empty() {
        return Err(section.wrong(key, "allows nobody: name someone, or leave it out"));
    }
    for name in &names {
        // A URI has a colon before anything else.
        if name.contains('@') && !name.contains(':') {
            let text = format!(
                "has {name:?}: addresses of mail are not looked at, only names of hosts, IP addresses and URIs"
            );
            return Err(section.wrong(key, &text));
        }
    }
    Ok(names)
}
