//! Stands between a connection's bytes and h2: reads no more of one that sends too many frames that carry no call, and
//! makes one that always has more to read give the others their turn.
//!
//! It knows bytes. It may not know calls, headers or bodies.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::frames::Frames;

/// Bytes that one connection may have read before the others have their turn: four of the largest frames.
const TURN_BYTES: usize = 64 * 1024;

/// Bytes written that earn 1. grpc-core answers a DATA frame with up to two WINDOW_UPDATE: a verdict, of some 60 bytes,
/// pays for these. The answer to a PING, of 17, does not pay for it.
const WRITTEN_PER_POINT: usize = 32;

/// What a connection's owner may know of its bytes.
pub struct Traffic {
    /// When something was last read.
    pub read_at: Cell<Instant>,
    /// Whether the caller has sent its SETTINGS, which end the handshake.
    pub has_settings: Cell<bool>,
    /// Whether the connection is to be ended for the frames that it sent. Nothing is read of it any more.
    pub is_hostile: Cell<bool>,
}

impl Traffic {
    pub fn new(now: Instant) -> Rc<Self> {
        Rc::new(Self { read_at: Cell::new(now), has_settings: Cell::new(false), is_hostile: Cell::new(false) })
    }
}

/// A connection's bytes, watched.
pub struct Guard<I> {
    inner: I,
    traffic: Rc<Traffic>,
    frames: Frames,
    turn_bytes: usize,
    written: usize,
}

impl<I> Guard<I> {
    pub fn new(inner: I, traffic: Rc<Traffic>) -> Self {
        let frames = Frames::new(traffic.read_at.get());
        Self { inner, traffic, frames, turn_bytes: 0, written: 0 }
    }

    /// Return the connection's bytes as they are.
    pub fn into_inner(self) -> I {
        self.inner
    }

    fn wrote(&mut self, count: usize) {
        self.written += count;
        self.frames.earn(i64::try_from(self.written / WRITTEN_PER_POINT).unwrap_or(i64::MAX));
        self.written %= WRITTEN_PER_POINT;
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Guard<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.traffic.is_hostile.get() {
            return Poll::Pending;
        }
        if this.turn_bytes >= TURN_BYTES {
            this.turn_bytes = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let Poll::Ready(result) = Pin::new(&mut this.inner).poll_read(cx, buffer) else {
            this.turn_bytes = 0;
            return Poll::Pending;
        };
        result?;
        let (bytes, now) = (&buffer.filled()[before..], Instant::now());
        this.turn_bytes += bytes.len();
        this.traffic.read_at.set(now);
        let Some(has_settings) = this.frames.look(bytes, now) else {
            // What was read is not h2's any more. The connection's owner, who asked for it, sees why.
            buffer.set_filled(before);
            this.traffic.is_hostile.set(true);
            return Poll::Pending;
        };
        if has_settings {
            this.traffic.has_settings.set(true);
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Guard<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        Pin::new(&mut this.inner).poll_write(cx, bytes).map_ok(|count| {
            this.wrote(count);
            count
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        Pin::new(&mut this.inner).poll_write_vectored(cx, slices).map_ok(|count| {
            this.wrote(count);
            count
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
