//! What carries events, by the settings.

use std::sync::Arc;

use cleave_messaging::{EventBus, InProcessBus};
use cleave_nats::NatsBus;

use super::{StartError, World};
use crate::settings::{BusKind, BusSettings};

/// Opens it. A broker that can't be used stops the start; one that goes away
/// later does not stop the program.
pub(super) async fn open(
    settings: &BusSettings,
    world: &World,
) -> Result<Arc<dyn EventBus>, StartError> {
    let clock = world.clock.clone();
    match settings.kind {
        BusKind::InProcess => Ok(Arc::new(InProcessBus::new(&settings.in_process, clock))),
        BusKind::Nats => {
            let process = world.ids.uuid().to_string();
            let bus = Box::pin(NatsBus::open(settings.nats.clone(), process, clock)).await;
            let bus = bus.map_err(|error| StartError::of("bus", error))?;
            Ok(Arc::new(bus))
        }
    }
}
