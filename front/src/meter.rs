//! Counts what a caller sends below TLS: records that bring nothing are paid for, and nobody has the thread for long.
//!
//! rustls reads on for as long as there are records, and bounds those that bring no bytes only between two that do: a caller
//! could change its keys (RFC 8446, section 4.6.3) 32 times for each byte, without end. The guard above sees none of that.
//!
//! It knows bytes. It may not know records.

use std::cell::Cell;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that one caller may have read before the others have their turn: twice the largest record.
const TURN_BYTES: usize = 32 * 1024;
/// Bytes of a handshake: a ClientHello has up to 2 KiB, a chain of four certificates 8 KiB. rustls itself would hold 64 KiB.
const HANDSHAKE_BYTES: i64 = 16 * 1024;
/// Bytes that may bring nothing, and how many more each byte that is brought pays for. A record has 22 bytes of its own,
/// and the shortest frame 9.
const ALLOWANCE_MAX: i64 = 64 * 1024;
const EARNED: i64 = 16;

/// What a caller may still send.
pub struct Meter {
    allowance: Cell<i64>,
    turn_bytes: Cell<usize>,
    is_open: Cell<bool>,
}

impl Meter {
    /// Begin with the handshake.
    pub fn new() -> Rc<Self> {
        let (allowance, turn_bytes, is_open) = (Cell::new(HANDSHAKE_BYTES), Cell::new(0), Cell::new(false));
        Rc::new(Self { allowance, turn_bytes, is_open })
    }

    /// Note that the handshake is over.
    pub fn open(&self) {
        self.is_open.set(true);
        self.allowance.set(ALLOWANCE_MAX);
    }

    /// Note bytes that the caller's records have brought.
    pub fn earn(&self, bytes: usize) {
        let earned = i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(EARNED);
        self.allowance.update(|left| left.saturating_add(earned).min(ALLOWANCE_MAX));
    }

    /// Whether the caller has sent too much that brings nothing.
    pub fn is_spent(&self) -> bool {
        self.allowance.get() < 0
    }

    fn pay(&self, bytes: usize) {
        self.turn_bytes.update(|count| count + bytes);
        self.allowance.update(|left| left.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX)));
    }
}

/// A socket that is metered.
pub struct Metered<S> {
    socket: S,
    meter: Rc<Meter>,
}

impl<S> Metered<S> {
    pub fn new(socket: S, meter: Rc<Meter>) -> Self {
        Self { socket, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { socket, meter } = self.get_mut();
        if meter.is_spent() {
            // The owner of an open connection sees that it is spent, and ends it with a word.
            return if meter.is_open.get() { Poll::Pending } else { Poll::Ready(Err(ErrorKind::InvalidData.into())) };
        }
        if meter.turn_bytes.get() >= TURN_BYTES {
            meter.turn_bytes.set(0);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(socket).poll_read(cx, buffer);
        match &read {
            Poll::Pending => meter.turn_bytes.set(0),
            Poll::Ready(_) => meter.pay(buffer.filled().len() - before),
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Has bytes without end.
    struct Endless;

    impl AsyncRead for Endless {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            buffer.initialize_unfilled();
            buffer.advance(buffer.remaining());
            Poll::Ready(Ok(()))
        }
    }

    /// Read pieces until there is no more for now. Return how many there were, and whether that was a failure.
    fn read_all(metered: &mut Metered<Endless>) -> (usize, bool) {
        let mut count = 0;
        loop {
            let mut piece = [0; 1024];
            let cx = &mut Context::from_waker(Waker::noop());
            match Pin::new(&mut *metered).poll_read(cx, &mut ReadBuf::new(&mut piece)) {
                Poll::Ready(Ok(())) => count += 1,
                Poll::Ready(Err(_)) => return (count, true),
                Poll::Pending => return (count, false),
            }
        }
    }

    #[test]
    fn a_handshake_that_is_too_long_fails() {
        let mut metered = Metered::new(Endless, Meter::new());
        assert_eq!(read_all(&mut metered), (17, true));
    }

    #[test]
    fn others_have_their_turn_and_what_brings_nothing_is_paid_for() {
        let meter = Meter::new();
        meter.open();
        let mut metered = Metered::new(Endless, meter.clone());
        assert_eq!(read_all(&mut metered), (32, false));
        assert!(!meter.is_spent());
        assert_eq!(read_all(&mut metered), (32, false));
        assert_eq!(read_all(&mut metered), (1, false));
        assert!(meter.is_spent());
        assert_eq!(read_all(&mut metered), (0, false));
    }

    #[test]
    fn records_of_a_shortest_frame_pay_for_themselves() {
        let meter = Meter::new();
        meter.open();
        for _ in 0..100_000 {
            meter.pay(22 + 9);
            meter.earn(9);
        }
        assert!(!meter.is_spent());
        for _ in 0..100 {
            meter.pay(32 * 27 + 22 + 1);
            meter.earn(1);
        }
        assert!(meter.is_spent(), "32 changes of keys with each byte");
    }
}
