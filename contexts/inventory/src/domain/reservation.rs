//! A reservation: stock held for one order. An order has one, whatever the keys
//! of the commands; each of its states but `held` and `taken` is final, and states only go forward.
//!
//! ```text
//!            ┌──────────► refused
//! (reserve) ─┤
//!            └──► held ──► taken ──► released
//!                  ├──► released
//!                  └──► expired
//! (release, take) ──► released, with nothing held: a tombstone
//! ```

use cleave_inventory_contract::events::ReleaseReason;
use cleave_inventory_contract::port::{
    ALREADY_RELEASED, HoldingState, RESERVATION_EXPIRED, Reserved, Taken,
};
use cleave_vocabulary::{CorrelationId, OrderId, ProductId, Refusal, ReservationId, Timestamp};

use super::{Lines, Movement};

/// Where a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its lines count as reserved.
    Held,
    /// Its lines left the shelf.
    Taken,
    /// Given back, or a tombstone of what was never held.
    Released,
    /// Given back because its time was over.
    Expired,
    /// Stock did not suffice; nothing was ever held.
    Refused,
}

impl State {
    /// Every state there is.
    pub(crate) const ALL: [Self; 5] = [
        Self::Held,
        Self::Taken,
        Self::Released,
        Self::Expired,
        Self::Refused,
    ];

    /// As the database keeps it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Taken => "taken",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }

    /// Whether nothing can follow.
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Released | Self::Expired | Self::Refused)
    }

    /// The state of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A legal change of a reservation that holds something: it names the state it
/// starts from, so that no other can be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transition {
    /// The order is paid: what is held leaves the shelf.
    Take,
    /// What is held is given back.
    ReleaseHeld,
    /// What was taken is put back on the shelf.
    ReleaseTaken,
    /// The time of what is held is over.
    Expire,
}

impl Transition {
    /// The only state it starts from.
    pub(crate) const fn from(self) -> State {
        match self {
            Self::Take | Self::ReleaseHeld | Self::Expire => State::Held,
            Self::ReleaseTaken => State::Taken,
        }
    }

    /// The state it leads to.
    pub(crate) const fn to(self) -> State {
        match self {
            Self::Take => State::Taken,
            Self::ReleaseHeld | Self::ReleaseTaken => State::Released,
            Self::Expire => State::Expired,
        }
    }

    /// What it does to the stock of a line's product.
    pub(crate) fn movement(self, (product, quantity): (ProductId, u32)) -> Movement {
        let quantity = i64::from(quantity);
        let (on_hand, reserved) = match self {
            Self::Take => (-quantity, -quantity),
            Self::ReleaseHeld | Self::Expire => (0, -quantity),
            Self::ReleaseTaken => (quantity, 0),
        };
        Movement {
            product,
            on_hand,
            reserved,
        }
    }

    /// What is said of it, where stock is given back.
    pub(crate) const fn reason(self) -> Option<ReleaseReason> {
        match self {
            Self::Take => None,
            Self::ReleaseHeld | Self::ReleaseTaken => Some(ReleaseReason::Compensated),
            Self::Expire => Some(ReleaseReason::Expired),
        }
    }
}

/// What held (or never held) stock for one order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reservation {
    /// For which order.
    pub(crate) order: OrderId,
    /// Its id; none where nothing was ever held.
    pub(crate) id: Option<ReservationId>,
    /// Where it stands.
    pub(crate) state: State,
    /// What it holds; none for a tombstone.
    pub(crate) lines: Option<Lines>,
    /// Until when it was to be held.
    pub(crate) expires_at: Timestamp,
    /// The key of the command that asked for it.
    pub(crate) reserve_key: Option<String>,
    /// Why that command was refused.
    pub(crate) refusal: Option<Refusal>,
    /// The key of the command that took it.
    pub(crate) take_key: Option<String>,
    /// What the request that asked for it is called.
    pub(crate) correlation: CorrelationId,
}

impl Reservation {
    /// The answer to a command that reserves for this order: the first outcome
    /// for the first key. Another key gets what became of the order's one
    /// reservation, and is too late once that is over.
    pub(crate) fn answer_reserve(&self, key: &str) -> Result<Reserved, Refusal> {
        let over = matches!(self.state, State::Released | State::Expired);
        if over && self.reserve_key.as_deref() != Some(key) {
            return Err(already_released());
        }
        match (&self.refusal, self.id) {
            (None, Some(reservation_id)) => Ok(Reserved {
                reservation_id,
                expires_at: self.expires_at,
            }),
            (Some(refusal), _) => Err(refusal.clone()),
            (None, None) => Err(already_released()),
        }
    }

    /// The answer to a command that takes what [`Transition::Take`] did not
    /// find to be held: the first outcome for the key that took it, and to
    /// others that it is taken, or gone.
    pub(crate) fn answer_take(&self, key: &str) -> Result<Taken, Refusal> {
        let taken = self.state == State::Taken || self.take_key.as_deref() == Some(key);
        match self.id {
            Some(reservation_id) if taken => Ok(Taken { reservation_id }),
            _ => Err(nothing_held()),
        }
    }

    /// As other contexts see it; nothing where nothing was ever held.
    pub(crate) fn holding(&self) -> Option<HoldingState> {
        self.id?;
        match self.state {
            State::Held => Some(HoldingState::Held),
            State::Taken => Some(HoldingState::Taken),
            State::Released => Some(HoldingState::Released),
            State::Expired => Some(HoldingState::Expired),
            State::Refused => None,
        }
    }
}

/// The refusal to reserve behind a release.
pub(crate) fn already_released() -> Refusal {
    Refusal::new(
        ALREADY_RELEASED,
        "what was held for the order was given back; nothing more is held for it",
    )
}

/// The refusal to take where nothing is held.
pub(crate) fn nothing_held() -> Refusal {
    Refusal::new(RESERVATION_EXPIRED, "nothing is held for the order")
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::{IdSource, SequentialIds};

    use super::*;

    fn held() -> Reservation {
        let ids: &dyn IdSource = &SequentialIds::default();
        Reservation {
            order: ids.next(),
            id: Some(ids.next()),
            state: State::Held,
            lines: None,
            expires_at: Timestamp::from_micros(9),
            reserve_key: Some("reserve".into()),
            refusal: None,
            take_key: None,
            correlation: CorrelationId::fresh(ids),
        }
    }

    #[test]
    fn every_state_has_a_name_of_its_own() {
        for state in State::ALL {
            assert_eq!(State::named(state.as_str()), Some(state));
        }
        assert_eq!(State::named("lost"), None);
    }

    #[test]
    fn a_transition_moves_what_its_states_count() {
        // What one unit in a state counts as: (on the shelf, reserved).
        let counts = |state| match state {
            State::Held => (1, 1),
            State::Taken => (0, 0),
            State::Released | State::Expired | State::Refused => (1, 0),
        };
        let product = ProductId::from_uuid(uuid::Uuid::from_u128(1));
        for transition in [
            Transition::Take,
            Transition::ReleaseHeld,
            Transition::ReleaseTaken,
            Transition::Expire,
        ] {
            let (on_hand, reserved) = counts(transition.from());
            let (on_hand_after, reserved_after) = counts(transition.to());
            let movement = transition.movement((product, 7));
            assert_eq!(
                (movement.on_hand, movement.reserved),
                (
                    7 * (on_hand_after - on_hand),
                    7 * (reserved_after - reserved)
                ),
                "{transition:?}"
            );
        }
    }

    #[test]
    fn the_first_key_gets_the_first_outcome_for_ever() {
        for state in [State::Held, State::Taken, State::Released, State::Expired] {
            let reservation = Reservation { state, ..held() };
            assert!(reservation.answer_reserve("reserve").is_ok(), "{state:?}");
        }
        let refused = Reservation {
            id: None,
            state: State::Released,
            refusal: Some(Refusal::new("insufficient_inventory", "")),
            ..held()
        };
        let refusal = refused.answer_reserve("reserve").expect_err("refused");
        assert_eq!(refusal.code, "insufficient_inventory");
    }

    #[test]
    fn another_key_is_too_late_once_it_is_over() {
        assert!(held().answer_reserve("another").is_ok());
        for state in [State::Released, State::Expired] {
            let reservation = Reservation { state, ..held() };
            let refusal = reservation.answer_reserve("another").expect_err("over");
            assert_eq!(refusal.code, ALREADY_RELEASED);
        }
    }

    #[test]
    fn taking_again_is_taken_and_taking_what_is_gone_is_refused() {
        let taken = Reservation {
            state: State::Taken,
            take_key: Some("take".into()),
            ..held()
        };
        assert!(taken.answer_take("take").is_ok());
        assert!(taken.answer_take("another").is_ok());
        let released = Reservation {
            state: State::Released,
            ..taken
        };
        assert!(released.answer_take("take").is_ok(), "the first outcome");
        let refusal = released.answer_take("another").expect_err("gone");
        assert_eq!(refusal.code, RESERVATION_EXPIRED);
    }
}
