//! Suite: web.
