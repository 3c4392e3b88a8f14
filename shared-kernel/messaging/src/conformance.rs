//! What every adapter of [`EventBus`](crate::EventBus) must do, as a function that a test calls with the adapter.
