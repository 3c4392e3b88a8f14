//! Which database a context's events belong to, as what carries them knows it.

use cleave_hosting::Context;
use cleave_messaging::{BusError, EventBus};
use cleave_vocabulary::IdSource;

use super::StartError;

/// Takes a context's events for its database; refuses where another one has them.
/// A bus that ends with its process knows no other, and no database need be asked.
pub(super) async fn claim(
    bus: &dyn EventBus,
    context: &Context,
    ids: &dyn IdSource,
) -> Result<(), StartError> {
    let name = context.name;
    let identity = cleave_messaging::identity(&context.store, ids).await;
    let identity = identity.map_err(|error| StartError::of(name, error))?;
    match bus.claim(name, &identity).await {
        Ok(()) => Ok(()),
        Err(BusError::Owned(release)) => Err(StartError::Owned {
            context: name,
            release,
        }),
        Err(error) => Err(StartError::of("bus", error)),
    }
}
