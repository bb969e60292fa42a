//! Handover of open sockets to the helper process. They travel over a socket pair whose other end
//! is the helper's standard input, so no descriptor of this server is ever inheritable: an engine
//! that starts at the same moment could otherwise receive another cluster's.

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Sockets of one engine: for sessions, and for administration.
pub const SOCKETS: usize = 2;

/// Returns the helper's standard input, from which it can take these sockets in this order. The
/// sending end is closed already: what was sent waits in the receiving one.
pub fn pack_sockets(sockets: [BorrowedFd<'_>; SOCKETS]) -> io::Result<OwnedFd> {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::Error::other("the sockets do not fit into a message"));
    }
    // Rights travel only beside data.
    sendmsg(
        &ours,
        &[IoSlice::new(b"s")],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(theirs)
}

/// Takes the sockets that [`pack_sockets`] sent. They stay open over an exec.
pub fn unpack_sockets(from: impl AsFd) -> io::Result<[OwnedFd; SOCKETS]> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    while let Err(e) = recvmsg(
        &from,
        &mut [IoSliceMut::new(&mut byte)],
        &mut control,
        RecvFlags::empty(),
    ) {
        if e != Errno::INTR {
            return Err(e.into());
        }
    }
    let sockets = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds.collect::<Vec<_>>()),
        _ => None,
    });
    sockets
        .unwrap_or_default()
        .try_into()
        .map_err(|_| io::Error::other("the sockets did not arrive"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn sockets_arrive_in_order_and_nothing_else_is_taken_for_them() {
        let (mut first, first_far) = UnixStream::pair().unwrap();
        let (mut second, second_far) = UnixStream::pair().unwrap();
        let helper_stdin = pack_sockets([first_far.as_fd(), second_far.as_fd()]).unwrap();
        drop((first_far, second_far));
        let [one, two] = unpack_sockets(&helper_stdin).unwrap();
        UnixStream::from(one).write_all(b"1").unwrap();
        UnixStream::from(two).write_all(b"2").unwrap();
        let mut got = [0; 1];
        first.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"1");
        second.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"2");
        assert!(
            unpack_sockets(&helper_stdin).is_err(),
            "a second time there is nothing"
        );
    }
}
