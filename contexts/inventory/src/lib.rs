//! The inventory context.
