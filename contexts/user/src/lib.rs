//! The user context.
