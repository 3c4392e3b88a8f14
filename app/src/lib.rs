//! The program: command line, settings, composition root, gateway, console.

pub mod gateway;
pub mod host;
pub mod ops;
