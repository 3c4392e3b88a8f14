//! Suite: notification.
