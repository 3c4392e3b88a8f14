//! Suite: seam.
