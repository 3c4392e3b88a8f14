//! The guards before what this process asks of others for itself, and for no context of
//! its own: the keys of access tokens, and what an audit counts. There is one where there
//! is another process to ask; within this one nothing can be away.

use std::collections::BTreeMap;
use std::sync::Arc;

use cleave_resilience::Guard;
use cleave_vocabulary::Clock;

use crate::gateway::GatewaySettings;
use crate::topology::{GATEWAY, Topology};

/// All of them; none in a monolith.
pub struct Guards {
    /// Before the user context.
    pub(super) user: Option<Guard>,
    /// Before each context as an audit asks it, though several may be in one process:
    /// what keeps one of them from counting says nothing of the others.
    pub(super) audit: BTreeMap<&'static str, Guard>,
}

impl Guards {
    /// By the settings of `gateway`.
    pub(super) fn before(
        topology: &Topology,
        settings: &GatewaySettings,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let user = || {
            let name = format!("{GATEWAY}.user");
            Guard::new(name, settings.user.clone(), clock.clone())
        };
        let audit = |(context, _)| {
            let name = format!("{GATEWAY}.audit.{context}");
            let guard = Guard::new(name, settings.audit.clone(), clock.clone());
            (context, guard)
        };
        Self {
            user: (!topology.is_here("user")).then(user),
            audit: topology.elsewhere().map(audit).collect(),
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Guard> {
        self.user.iter().chain(self.audit.values())
    }
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::SystemClock;

    use super::*;
    use crate::settings::{BusKind, Settings};

    fn names(settings: &Settings) -> Vec<String> {
        let topology = Topology::of(settings).expect("possible");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let guards = Guards::before(&topology, &settings.gateway, &clock);
        let names = guards.iter().map(|guard| guard.name().to_owned());
        names.collect()
    }

    #[test]
    fn there_is_one_where_another_process_is_asked() {
        let mut settings = Settings::default();
        assert_eq!(names(&settings), [""; 0]);
        settings.bus.kind = BusKind::Nats;
        settings.internal.key = Some("a secret of more than 32 characters".to_owned());
        settings.topology.user = "http://10.0.0.7:9080".to_owned();
        settings.topology.payment = "http://10.0.0.8:9080".to_owned();
        let expected = [
            "gateway.user",
            "gateway.audit.payment",
            "gateway.audit.user",
        ];
        assert_eq!(names(&settings), expected);
    }
}
