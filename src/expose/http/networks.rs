//! Whose connections are taken: those from the networks of a list, where there is one.

use crate::error::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who is behind a client's address, as far as one party has it: an address of IPv4, or the first half of one of IPv6.
/// `None`: it has come through the file system, and is one with all others that have.
pub(super) type Party = Option<IpAddr>;

/// The party of a client with this address.
pub(super) fn party(client: Option<IpAddr>) -> Party {
    let client = client?.to_canonical();
    start(client, if client.is_ipv4() { 32 } else { 64 })
}

/// Networks, each by its first address and the length of its prefix. Empty: every client is let in.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Networks(Vec<(IpAddr, u32)>);

impl Networks {
    /// Reads networks as `10.0.0.0/8`, and single addresses.
    pub(super) fn read(texts: &[String]) -> Result<Self, Error> {
        texts.iter().map(|text| read(text)).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all clients are let in that can reach this address of a socket.
    pub(super) fn admit_all(&self, listening: IpAddr) -> bool {
        self.is_empty()
            || match listening.to_canonical() {
                IpAddr::V4(_) => self.cover(32),
                // Where it is a socket for both.
                IpAddr::V6(address) => self.cover(128) || address.is_unspecified() && self.cover(32),
            }
    }

    /// Whether these networks together are all addresses of so many bits.
    fn cover(&self, bits: u32) -> bool {
        let of = |(first, prefix): &(IpAddr, u32)| match (first, bits) {
            (IpAddr::V4(first), 32) => Some((u128::from(first.to_bits()), 32 - prefix)),
            (IpAddr::V6(first), 128) => Some((first.to_bits(), 128 - prefix)),
            _ => None,
        };
        let mut all: Vec<_> = self.0.iter().filter_map(of).collect();
        all.sort_unstable();
        // The last address up to which there is no gap.
        let mut end: Option<u128> = None;
        for (first, size) in all {
            let last = first | u128::MAX.checked_shl(size).map_or(u128::MAX, |rest| !rest);
            if first > end.map_or(0, |end| end.saturating_add(1)) {
                return false;
            }
            end = end.max(Some(last));
        }
        end == Some(u128::MAX >> (128 - bits))
    }

    /// Whether a client with this address is let in; clients without any always are.
    pub(super) fn admit(&self, client: Option<IpAddr>) -> bool {
        // A client over IPv4 to a socket for both has an address of IPv6 that contains the other.
        let Some(client) = client.map(|client| client.to_canonical()) else { return true };
        let is_in = |(first, prefix): &(IpAddr, u32)| start(client, *prefix) == Some(*first);
        self.is_empty() || self.0.iter().any(is_in)
    }
}

/// The first address of the network with this prefix that `address` is in; `None` where the prefix is too long.
fn start(address: IpAddr, prefix: u32) -> Option<IpAddr> {
    // A shift by all bits leaves nothing.
    Some(match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix)?).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix)?).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    })
}

fn read(text: &str) -> Result<(IpAddr, u32), Error> {
    let wrong = |what: &str| {
        let text =
            format!("exporter: allow is {text:?}, {what}: write a network as 10.0.0.0/8 or fd00::/8, or one address");
        Error::new(ErrorKind::Setting, text)
    };
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().map_err(|_| wrong("which has no IP address"))?;
    let most: u32 = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => most,
        Some(prefix) => {
            let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
            let prefix = prefix.parse().ok().filter(|_| digits);
            prefix.filter(|prefix| *prefix <= most).ok_or_else(|| wrong("which has no length of a prefix"))?
        }
    };
    match start(address, prefix) {
        // Clients are looked at by their address of IPv4, where it is one within IPv6; with a shorter prefix it is not
        // the first.
        Some(first) if first == address => match address.to_canonical() {
            canonical if canonical != address => Ok((canonical, prefix.saturating_sub(96))),
            _ => Ok((address, prefix)),
        },
        // It may be meant otherwise than written.
        first => {
            let first = first.unwrap_or(address);
            Err(wrong(&format!("whose address is within that network and not its first, {first}/{prefix}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Networks;

    fn networks(texts: &[&str]) -> Networks {
        Networks::read(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn clients_of_the_networks_are_let_in_and_no_others() {
        for (network, inside, outside) in [
            (
                "10.0.0.0/8",
                &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"][..],
                &["9.255.255.255", "11.0.0.0", "::1"][..],
            ),
            ("192.0.2.1", &["192.0.2.1"], &["192.0.2.0", "192.0.2.2"]),
            ("192.0.2.128/25", &["192.0.2.128", "192.0.2.255"], &["192.0.2.127"]),
            ("0.0.0.0/0", &["255.255.255.255", "0.0.0.0"], &["::", "fe80::1"]),
            ("::/0", &["::1", "ffff::"], &["10.0.0.1"]),
            ("fd00::/8", &["fd00::1", "fdff::"], &["fc00::1", "fe00::"]),
            ("::1/128", &["::1"], &["::2"]),
            ("::ffff:127.0.0.0/104", &["127.0.0.1", "::ffff:127.9.9.9"], &["128.0.0.1", "::1"]),
            ("::ffff:192.0.2.1", &["192.0.2.1"], &["192.0.2.0"]),
            ("::ffff:0:0/96", &["10.0.0.1", "255.0.0.1"], &["::1"]),
        ] {
            let networks = networks(&[network]);
            for (addresses, admitted) in [(inside, true), (outside, false)] {
                for address in addresses {
                    assert_eq!(networks.admit(Some(address.parse().unwrap())), admitted, "{address} in {network}");
                }
            }
            // Whoever has no address has come through the file system.
            assert!(networks.admit(None));
        }
        let both = networks(&["10.0.0.0/8", "::1"]);
        assert!(["10.2.3.4", "::1"].iter().all(|address| both.admit(Some(address.parse().unwrap()))));
        assert!(networks(&[]).admit(Some("192.0.2.1".parse().unwrap())));
    }

    #[test]
    fn networks_that_are_all_addresses_together_let_everybody_in() {
        for (list, of_4, of_6, of_both) in [
            (&[][..], true, true, true),
            (&["0.0.0.0/0"], true, false, true),
            (&["::ffff:0:0/96"], true, false, true),
            (&["::/0"], false, true, true),
            (&["0.0.0.0/0", "::/0"], true, true, true),
            (&["128.0.0.0/1", "0.0.0.0/1"], true, false, true),
            (&["64.0.0.0/2", "0.0.0.0/2", "10.0.0.0/8", "128.0.0.0/1"], true, false, true),
            (&["8000::/1", "::/1", "10.0.0.0/8"], false, true, true),
            (&["0.0.0.0/1", "::/1"], false, false, false),
            (&["0.0.0.0/1", "128.0.0.0/2", "255.255.255.255"], false, false, false),
            (&["128.0.0.0/1", "0.0.0.0/2"], false, false, false),
            (&["10.0.0.0/8", "::1"], false, false, false),
        ] {
            let networks = networks(list);
            for (listening, all) in [
                ("0.0.0.0", of_4),
                ("192.0.2.1", of_4),
                ("::ffff:192.0.2.1", of_4),
                ("2001:db8::1", of_6),
                ("::", of_both),
            ] {
                assert_eq!(networks.admit_all(listening.parse().unwrap()), all, "{list:?} at {listening}");
            }
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for (text, why) in [
            ("", "no IP address"),
            ("localhost", "no IP address"),
            ("10.0.0.0/33", "length of a prefix"),
            ("10.0.0.0/", "length of a prefix"),
            ("10.0.0.0/+8", "length of a prefix"),
            ("::/129", "length of a prefix"),
            ("10.1.0.0/8", "10.0.0.0/8"),
            ("fd00::1/64", "fd00::/64"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
        ] {
            let error = Networks::read(&[text.to_owned()]).unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains(why), "{error}");
        }
    }
}
