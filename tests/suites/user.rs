//! Suite: user.
