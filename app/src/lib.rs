//! The program: command line, settings, composition root, gateway, operations.

pub mod assembly;
pub mod audit;
pub mod cli;
pub mod client;
pub mod demo;
pub mod gateway;
pub mod host;
pub mod internal;
pub mod log;
pub mod moving;
pub mod ops;
pub mod replay;
pub mod service;
pub mod settings;
pub mod topology;
