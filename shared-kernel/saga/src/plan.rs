//! A definition, looked over once.

/// Why a definition was not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("saga {kind} version {version}: {reason}")]
pub struct DefinitionError {
    /// Of which kind.
    pub kind: &'static str,
    /// Of which version.
    pub version: u32,
    /// What is wrong with it.
    pub reason: String,
}
