//! The payment methods that the simulated gateway knows, named as in Stripe's
//! test mode where it has one. Each plays one thing that a gateway can do.

/// What a payment method makes the gateway do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instrument {
    /// Takes the money.
    Succeeds,
    /// Says no, in these words.
    Declines(&'static str),
    /// Fails twice for each key with a passing fault, then takes the money.
    Flaky,
    /// Takes the money, and the answer never comes.
    Timeout,
    /// Always away.
    Unavailable,
    /// Takes the money, and two seconds.
    Slow,
}

impl Instrument {
    /// The instrument of this name.
    pub(crate) fn named(method: &str) -> Option<Self> {
        Some(match method {
            "pm_card_visa" => Self::Succeeds,
            "pm_card_chargeDeclined" => Self::Declines("Your card was declined."),
            "pm_card_chargeDeclinedInsufficientFunds" => {
                Self::Declines("Your card has insufficient funds.")
            }
            "pm_sim_flaky" => Self::Flaky,
            "pm_sim_timeout" => Self::Timeout,
            "pm_sim_unavailable" => Self::Unavailable,
            "pm_sim_slow" => Self::Slow,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_published_instruments_are_known() {
        assert_eq!(
            Instrument::named("pm_card_visa"),
            Some(Instrument::Succeeds)
        );
        for unknown in ["", "pm_card_VISA", "pm_card_mastercard", "visa"] {
            assert_eq!(Instrument::named(unknown), None, "{unknown}");
        }
    }
}
