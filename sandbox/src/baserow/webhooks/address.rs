//! Which addresses a webhook may call where private addresses are blocked, as they are on a server
//! with its defaults.

use std::net::IpAddr;

use reqwest::Url;

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadAddress {
    /// It does not look like a URL: no scheme, or a host without a dot.
    NoUrl,
    /// It is a URL, but of a scheme or a network that may not be called.
    Forbidden,
}

/// Checks an address. Names are not resolved: only `localhost` counts as private.
pub(crate) fn check(url: &str) -> Result<(), BadAddress> {
    let url = Url::parse(url).map_err(|_| BadAddress::NoUrl)?;
    if !matches!(url.scheme(), "http" | "https" | "ftp" | "ftps") {
        return Err(BadAddress::NoUrl);
    }
    let host = url.host_str().ok_or(BadAddress::NoUrl)?.trim_matches(['[', ']']);
    let ip: Option<IpAddr> = host.parse().ok();
    if host != "localhost" && ip.is_none() && !host.contains('.') {
        return Err(BadAddress::NoUrl);
    }
    let is_private = match ip {
        Some(IpAddr::V4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        Some(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unspecified(),
        None => host == "localhost",
    };
    if is_private || !matches!(url.scheme(), "http" | "https") {
        return Err(BadAddress::Forbidden);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_may_be_called() {
        for (url, wanted) in [
            ("https://bridge.example.com/x", Ok(())),
            ("http://10.0.0.5/x", Err(BadAddress::Forbidden)),
            ("http://[::1]/x", Err(BadAddress::Forbidden)),
            ("http://bridge:8080/webhooks", Err(BadAddress::NoUrl)),
            ("not-a-url", Err(BadAddress::NoUrl)),
        ] {
            assert_eq!(check(url), wanted, "{url}");
        }
    }
}
