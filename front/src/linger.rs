//! The end of a connection whose caller was told why: what still comes of him is read and dropped for a moment.
//!
//! A socket that is closed while it holds bytes that were not read ends by a reset (RFC 1122, section 4.2.2.13), and a
//! reset may make the other side drop the GOAWAY that it has not read yet.
//!
//! It knows one socket, whose writing half is closed. It may not know HTTP.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, ReadBuf};

use crate::timers::{self, Timers};

/// The bytes that are dropped of one connection. They are what a library has on its way when it is told to go: two windows
/// of a call. A caller that sends more is a flood, which gets the reset.
const BYTES_MAX: usize = 256 * 1024;
/// The time that a caller has to hang up by himself: several times the way to the other end of the world and back. His
/// connection keeps its place among those that are allowed.
const TIME_MAX: Duration = Duration::from_secs(1);
const PIECE_BYTES: usize = 16 * 1024;

/// Read and drop what comes until the caller hangs up, within both bounds.
pub async fn linger(socket: impl AsyncRead + Unpin, timers: &Timers) {
    timers::before(timers.sleep_until(Instant::now() + TIME_MAX), drop_all(socket)).await;
}

/// Return once there is no more, or there was too much.
async fn drop_all(mut socket: impl AsyncRead + Unpin) {
    let mut left = BYTES_MAX;
    while left > 0 {
        let read = poll_fn(|cx| {
            let mut bytes = [0; PIECE_BYTES];
            let mut piece = ReadBuf::new(&mut bytes);
            Pin::new(&mut socket).poll_read(cx, &mut piece).map_ok(|()| piece.filled().len())
        });
        match read.await {
            Ok(0) | Err(_) => return,
            Ok(count) => left = left.saturating_sub(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::io;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Has so many bytes to be read, and counts what was.
    struct Source<'a> {
        has: usize,
        ends: bool,
        read: &'a mut usize,
    }

    impl AsyncRead for Source<'_> {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let count = (self.has - *self.read).min(buffer.remaining());
            if count == 0 && !self.ends {
                return Poll::Pending;
            }
            buffer.initialize_unfilled_to(count);
            buffer.advance(count);
            *self.read += count;
            Poll::Ready(Ok(()))
        }
    }

    /// Return how many bytes were read, and whether that was the end.
    fn dropped(has: usize, ends: bool) -> (usize, bool) {
        let mut read = 0;
        let mut dropping = Box::pin(drop_all(Source { has, ends, read: &mut read }));
        let is_over = dropping.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        drop(dropping);
        (read, is_over)
    }

    #[test]
    fn what_comes_is_dropped_until_the_end_or_the_bound() {
        assert_eq!(dropped(0, true), (0, true));
        assert_eq!(dropped(100_000, true), (100_000, true));
        assert_eq!(dropped(100_000, false), (100_000, false));
        assert_eq!(dropped(10 * BYTES_MAX, true), (BYTES_MAX, true));
    }
}
