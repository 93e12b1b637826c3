//! A descriptor that tasks read and write, with the traits that h2 asks for.
//!
//! It knows one descriptor and the reactor's view of it. It may not know what its bytes are.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::reactor::{Directions, Sockets};

/// A descriptor that is watched until it is dropped.
pub struct Watched<S: Source> {
    source: S,
    number: usize,
    is_callers: bool,
    directions: Rc<Directions>,
    sockets: Sockets,
}

impl<S: Source> Watched<S> {
    pub fn new(source: S, number: usize, is_callers: bool, directions: Rc<Directions>, sockets: Sockets) -> Self {
        Self { source, number, is_callers, directions, sockets }
    }

    /// Read by ``read``, or wait until there may be something to read.
    pub fn poll_read_with<R>(
        &mut self,
        cx: &Context<'_>,
        read: impl FnOnce(&mut S) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let direction = &self.directions.read;
        if direction.is_ready.get() {
            if self.is_callers && self.sockets.holds_back(&self.directions, cx) {
                return Poll::Pending;
            }
            match read(&mut self.source) {
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => direction.is_ready.set(false),
                result => return Poll::Ready(result),
            }
        }
        direction.wait(cx);
        Poll::Pending
    }

    fn poll_write_with(
        &mut self,
        cx: &Context<'_>,
        write: impl FnOnce(&mut S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let direction = &self.directions.write;
        if direction.is_ready.get() {
            match write(&mut self.source) {
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => {
                    direction.is_ready.set(false);
                    if self.is_callers {
                        self.sockets.now_full(&self.directions);
                    }
                }
                result => return Poll::Ready(result),
            }
        }
        direction.wait(cx);
        Poll::Pending
    }
}

impl<S: Source> Drop for Watched<S> {
    fn drop(&mut self) {
        self.sockets.forget(&mut self.source, self.number, &self.directions);
    }
}

/// A stream socket, of which one direction can be closed.
pub trait Stream: Source + Read + Write + Unpin {
    fn end_writing(&self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn end_writing(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Stream for UnixStream {
    fn end_writing(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl<S: Stream> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let room = buffer.initialize_unfilled();
        let size = room.len();
        let read = this.poll_read_with(cx, |source| source.read(room));
        read.map_ok(|count| {
            // Events tell of changes: fewer bytes than there was room for means that there are no more, and no end.
            if 0 < count && count < size && !this.directions.is_at_end.get() {
                this.directions.read.is_ready.set(false);
            }
            buffer.advance(count);
        })
    }
}

impl<S: Stream> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_with(cx, |source| source.write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_with(cx, |source| source.write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.source.end_writing())
    }
}
