//! Tells a service manager how far the program is: one datagram to the socket that
//! `NOTIFY_SOCKET` names, as systemd's `Type=notify` waits for. Where nobody asked to
//! be told, nothing is.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// It answers, and can be sent work.
pub(super) const READY: &str = "READY=1";
/// It ends in good order.
pub(super) const STOPPING: &str = "STOPPING=1";

/// Tells it. A manager that can't be told will say so by itself; a start that is
/// otherwise good does not fail for it.
pub(super) fn tell(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|it| !it.is_empty()) else {
        return;
    };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(%error, state, "NOTIFY_SOCKET names a socket that can't be told");
    }
}

fn send(socket: &OsString, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(state.as_bytes(), &address)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_told_by_path_and_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let name = format!("cleave-notify-{}", std::process::id());
        let abstracted = SocketAddr::from_abstract_name(&name).expect("a name");
        for (manager, socket) in [
            (UnixDatagram::bind(&path), path.into_os_string()),
            (
                UnixDatagram::bind_addr(&abstracted),
                format!("@{name}").into(),
            ),
        ] {
            let manager = manager.expect("a socket");
            send(&socket, READY).expect("it is told");
            let mut told = [0; 64];
            let length = manager.recv(&mut told).expect("a datagram");
            assert_eq!(&told[..length], READY.as_bytes());
        }
    }
}
