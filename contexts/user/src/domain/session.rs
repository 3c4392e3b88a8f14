//! Sessions as families of refresh tokens. Each token is good for one use and
//! begets the next; a second use means that two parties hold it, one of them a
//! thief, and since nobody can tell which, the whole family ends
//! (RFC 9700, section 4.14).

use cleave_vocabulary::id::Kind;
use cleave_vocabulary::{Id, Timestamp, UserId};

/// The kind of a session's id.
pub(crate) enum Session {}

impl Kind for Session {
    const PREFIX: &'static str = "ses";
    const NAME: &'static str = "SessionId";
}

/// A session: the `sid` of its access tokens.
pub(crate) type SessionId = Id<Session>;

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// Its user signed out.
    SignedOut,
    /// One of its refresh tokens was used twice.
    Reused,
}

impl EndReason {
    /// The name that rows keep.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Reused => "reused",
        }
    }

    /// The reason of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::SignedOut, Self::Reused]
            .into_iter()
            .find(|reason| reason.as_str() == name)
    }
}

/// How a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It goes on.
    Live,
    /// It is over.
    Ended(EndReason),
}

/// A refresh token that somebody showed, with what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct PresentedToken {
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    pub(crate) standing: Standing,
    pub(crate) used: bool,
    pub(crate) expires_at: Timestamp,
}

/// Why a refresh token gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshRefusal {
    /// It never was one, or is long forgotten.
    Unknown,
    /// Its time is over.
    Expired,
    /// Its user signed out.
    Revoked,
    /// It was used before, or another of its family was used twice. `live` names
    /// the session that has to end because of it.
    Reused { live: Option<SessionId> },
}

impl PresentedToken {
    /// Whether it may be used at `now`. Reuse is judged before expiry: a stolen
    /// token that is tried late is still a sign of theft.
    pub(crate) fn judge(&self, now: Timestamp) -> Result<(), RefreshRefusal> {
        match self.standing {
            Standing::Ended(EndReason::Reused) => Err(RefreshRefusal::Reused { live: None }),
            Standing::Ended(EndReason::SignedOut) => Err(RefreshRefusal::Revoked),
            Standing::Live if self.used => Err(RefreshRefusal::Reused {
                live: Some(self.session),
            }),
            Standing::Live if self.expires_at <= now => Err(RefreshRefusal::Expired),
            Standing::Live => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp::from_micros(1_000);

    fn token() -> PresentedToken {
        PresentedToken {
            session: SessionId::from_uuid(Uuid::from_u128(7)),
            user: UserId::from_uuid(Uuid::from_u128(1)),
            standing: Standing::Live,
            used: false,
            expires_at: Timestamp::from_micros(1_001),
        }
    }

    #[test]
    fn a_fresh_token_of_a_live_session_counts_until_it_expires() {
        assert_eq!(token().judge(NOW), Ok(()));
        let late = Timestamp::from_micros(1_001);
        assert_eq!(token().judge(late), Err(RefreshRefusal::Expired));
    }

    #[test]
    fn a_second_use_ends_the_family_even_when_it_is_late() {
        let used = PresentedToken {
            used: true,
            ..token()
        };
        let live = Some(used.session);
        let late = Timestamp::from_micros(5_000);
        assert_eq!(used.judge(NOW), Err(RefreshRefusal::Reused { live }));
        assert_eq!(used.judge(late), Err(RefreshRefusal::Reused { live }));
    }

    #[test]
    fn every_token_of_an_ended_family_says_why() {
        let of = |reason| PresentedToken {
            standing: Standing::Ended(reason),
            ..token()
        };
        let reused = of(EndReason::Reused).judge(NOW);
        assert_eq!(reused, Err(RefreshRefusal::Reused { live: None }));
        let signed_out = of(EndReason::SignedOut).judge(NOW);
        assert_eq!(signed_out, Err(RefreshRefusal::Revoked));
    }

    #[test]
    fn reasons_survive_their_names() {
        for reason in [EndReason::SignedOut, EndReason::Reused] {
            assert_eq!(EndReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(EndReason::parse("bored"), None);
    }
}
