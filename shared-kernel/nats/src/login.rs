//! What opens the broker's door: from settings of their own, or from the URL,
//! where the client itself would pass over it. A place that says two things is
//! refused.

use std::path::PathBuf;

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

use crate::NatsOptions;

/// Who this program is to the broker.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Login {
    Nobody,
    User { user: String, password: String },
    Token(String),
    File(PathBuf),
}

impl Login {
    /// Of the settings, and of the servers as the URL has them.
    pub(crate) fn of(options: &NatsOptions, servers: &[ServerAddr]) -> Result<Self, String> {
        let set = of_settings(options)?;
        let mut named = servers.iter().map(of_server);
        let in_url = named.next().transpose()?.unwrap_or(Self::Nobody);
        for other in named {
            if other? != in_url {
                return Err("the servers in bus.nats.url have different users; give all the same, or set bus.nats.user and bus.nats.password".to_owned());
            }
        }
        if in_url == Self::Nobody || in_url == set {
            return Ok(set);
        }
        if set == Self::Nobody {
            return Ok(in_url);
        }
        Err("bus.nats.url has a user that is not the one of bus.nats.user, bus.nats.token or bus.nats.credentials_file; leave it out of the URL".to_owned())
    }
}

fn of_settings(options: &NatsOptions) -> Result<Login, String> {
    let user = match (&options.user, &options.password) {
        (Some(user), Some(password)) => Some(Login::User {
            user: user.clone(),
            password: password.clone(),
        }),
        (None, None) => None,
        _ => {
            return Err(
                "bus.nats.user and bus.nats.password go together: set both, or neither".to_owned(),
            );
        }
    };
    let token = options.token.clone().map(Login::Token);
    let file = options.credentials_file.clone().map(Login::File);
    let mut ways = [user, token, file].into_iter().flatten();
    let way = ways.next().unwrap_or(Login::Nobody);
    if ways.next().is_some() {
        return Err("set one of bus.nats.user (with bus.nats.password), bus.nats.token and bus.nats.credentials_file".to_owned());
    }
    Ok(way)
}

/// `nats://user:password@host`, or `nats://token@host`, as other clients read it.
fn of_server(server: &ServerAddr) -> Result<Login, String> {
    let decoded = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        let decoded = decoded.map(std::borrow::Cow::into_owned);
        decoded.map_err(|_| {
            "the user or password in bus.nats.url is no UTF-8 behind its percent signs".to_owned()
        })
    };
    match (server.username(), server.password()) {
        (None, None) => Ok(Login::Nobody),
        (Some(token), None) => Ok(Login::Token(decoded(token)?)),
        (user, Some(password)) => Ok(Login::User {
            user: decoded(user.unwrap_or_default())?,
            password: decoded(password)?,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::addresses;

    fn of(url: &str, adjust: impl FnOnce(&mut NatsOptions)) -> Result<Login, String> {
        let mut options = NatsOptions::default();
        adjust(&mut options);
        Login::of(&options, &addresses(url).expect("a URL"))
    }

    fn user(user: &str, password: &str) -> Login {
        Login::User {
            user: user.to_owned(),
            password: password.to_owned(),
        }
    }

    #[test]
    fn what_the_url_names_counts() {
        let named = |url: &str| of(url, |_| {}).ok();
        assert_eq!(named("nats://h:1"), Some(Login::Nobody));
        assert_eq!(named("nats://ann:a%40b@h"), Some(user("ann", "a@b")));
        assert_eq!(named("nats://t0ken@h"), Some(Login::Token("t0ken".into())));
        assert_eq!(
            named("nats://a:b@h,nats://a:b@i"),
            Some(user("a", "b")),
            "one of a cluster"
        );
        assert_eq!(named("nats://a:b@h,nats://a:c@i"), None);
    }

    #[test]
    fn a_url_that_contradicts_the_settings_is_refused_and_not_repeated() {
        let with = |url: &str| {
            of(url, |it| {
                it.user = Some("ann".into());
                it.password = Some("right".into());
            })
        };
        assert!(with("nats://ann:right@h") == Ok(user("ann", "right")));
        let told = with("nats://ann:secret@h").expect_err("refused");
        assert!(told.contains("bus.nats.url") && told.contains("bus.nats.user"));
        assert!(!told.contains("secret"), "{told}");
    }
}
