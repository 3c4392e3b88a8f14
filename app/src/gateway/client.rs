//! Whom a request is counted for.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use cleave_web::Identity;
use http::{Extensions, HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A client, as far as limits are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Client {
    /// Someone who signed in.
    User(u128),
    /// Someone at an address; of IPv6 the 64 bits that one site is given.
    Address(IpAddr),
    /// Someone who came through no socket.
    Unknown,
}

impl Client {
    /// By user where the token was good, else by address.
    pub(super) fn of(extensions: &Extensions, headers: &HeaderMap, proxies: usize) -> Self {
        match extensions.get::<Identity>() {
            Some(Identity::Known(caller)) => Self::User(caller.user.uuid().as_u128()),
            _ => Self::at(extensions, headers, proxies),
        }
    }

    /// By address, whoever signed in there.
    pub(super) fn at(extensions: &Extensions, headers: &HeaderMap, proxies: usize) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(address)| address.ip());
        let forwarded = proxies
            .checked_sub(1)
            .and_then(|behind| forwarded(headers, behind));
        forwarded
            .or(peer)
            .map_or(Self::Unknown, |address| Self::Address(site(address)))
    }
}

/// What the proxy `behind` places from the end of the list saw: what stands
/// before that, a client may have made up.
fn forwarded(headers: &HeaderMap, behind: usize) -> Option<IpAddr> {
    let lines: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    let hop = hops.nth(behind)?.trim();
    hop.parse()
        .ok()
        .or_else(|| hop.parse().ok().map(|address: SocketAddr| address.ip()))
}

fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], proxies: usize) -> Client {
        let mut extensions = Extensions::new();
        let peer: IpAddr = peer.parse().expect("an address");
        extensions.insert(ConnectInfo(SocketAddr::new(peer, 4711)));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().expect("a header"));
        }
        Client::of(&extensions, &headers, proxies)
    }

    fn address(text: &str) -> Client {
        Client::Address(text.parse().expect("an address"))
    }

    #[test]
    fn an_address_that_a_client_claims_is_not_believed() {
        let claimed = ["9.9.9.9"];
        assert_eq!(client("192.0.2.1", &claimed, 0), address("192.0.2.1"));
        let through_one = ["9.9.9.9, 198.51.100.7"];
        assert_eq!(
            client("192.0.2.1", &through_one, 1),
            address("198.51.100.7")
        );
        let through_two = ["9.9.9.9", "198.51.100.7:80, 203.0.113.1"];
        assert_eq!(
            client("192.0.2.1", &through_two, 2),
            address("198.51.100.7")
        );
        for short in [&["nonsense"][..], &[]] {
            assert_eq!(client("192.0.2.1", short, 1), address("192.0.2.1"));
        }
    }

    #[test]
    fn a_site_counts_as_one() {
        let one = client("2001:db8:1:2:3::4", &[], 0);
        assert_eq!(one, client("2001:db8:1:2:ffff::1", &[], 0));
        assert_ne!(one, client("2001:db8:1:3::4", &[], 0));
        assert_eq!(client("::ffff:192.0.2.1", &[], 0), address("192.0.2.1"));
    }
}
