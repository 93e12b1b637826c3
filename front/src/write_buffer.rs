//! Gathers what a connection writes in one poll, so that it leaves in one write.
//!
//! h2 writes a large message and the trailers behind it by two calls. A worker that is killed in between leaves its
//! caller with a message and no status, which no client may repeat: a call counts as begun once it has an answer.
//!
//! It knows bytes. It may not know frames.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are gathered. The answer to a batch of 1,000 codes takes some 40 KiB; what is longer leaves in pieces.
const BYTES_MAX: usize = 64 * 1024;
/// Memory that is kept for the next poll: the answers of some 50 calls.
const KEPT_BYTES_MAX: usize = 4 * 1024;

struct Gathered<I> {
    inner: I,
    bytes: Vec<u8>,
    written: usize,
    /// Whether the connection took only a part of what was gathered: then no more is, until it has taken all.
    is_stuck: bool,
}

impl<I: AsyncWrite + Unpin> Gathered<I> {
    /// Write what was gathered. It is ready when all has been written.
    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_stuck = true;
        while self.written < self.bytes.len() {
            let count = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.bytes[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        // TLS may have taken bytes that its socket has not.
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        (self.written, self.is_stuck) = (0, false);
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        Poll::Ready(Ok(()))
    }

    /// Return the room for more bytes; a full buffer is written out first.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.is_stuck || self.bytes.len() >= BYTES_MAX {
            ready!(self.poll_write_out(cx))?;
        }
        Poll::Ready(Ok(BYTES_MAX - self.bytes.len()))
    }
}

/// A connection's bytes, of which those that are written wait for ``WriteBuffer::poll_write_out``.
pub struct Buffered<I>(Rc<RefCell<Gathered<I>>>);

/// What was written since it was written out last.
pub struct WriteBuffer<I>(Rc<RefCell<Gathered<I>>>);

/// Return a connection whose writes are gathered, and what writes them out.
pub fn gather<I>(inner: I) -> (Buffered<I>, WriteBuffer<I>) {
    let gathered = Rc::new(RefCell::new(Gathered { inner, bytes: Vec::new(), written: 0, is_stuck: false }));
    (Buffered(gathered.clone()), WriteBuffer(gathered))
}

impl<I: AsyncWrite + Unpin> WriteBuffer<I> {
    /// Write out what was gathered. Pending means that the connection takes no more for now; the task is woken when it
    /// does, and ``size`` does not grow until then.
    pub fn poll_write_out(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_write_out(cx)
    }

    /// Return the connection, once nothing writes to it any more.
    pub fn into_inner(self) -> Option<I> {
        Rc::into_inner(self.0).map(|gathered| gathered.into_inner().inner)
    }

    /// The bytes of memory that are held.
    pub fn size(&self) -> usize {
        self.0.borrow().bytes.len()
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Buffered<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().inner).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Buffered<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut gathered = self.0.borrow_mut();
        let room = ready!(gathered.poll_room(cx))?;
        let mut left = room;
        for slice in slices {
            let taken = slice.len().min(left);
            gathered.bytes.extend_from_slice(&slice[..taken]);
            left -= taken;
        }
        Poll::Ready(Ok(room - left))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // h2 flushes between a message and its trailers
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut gathered = self.0.borrow_mut();
        ready!(gathered.poll_write_out(cx))?;
        Pin::new(&mut gathered.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// Takes what it may, and notes each write.
    #[derive(Default)]
    struct Sink {
        writes: Vec<Vec<u8>>,
        room: Option<usize>,
    }

    impl AsyncWrite for Sink {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let this = self.get_mut();
            let count = bytes.len().min(this.room.unwrap_or(usize::MAX));
            if count == 0 {
                return Poll::Pending;
            }
            this.room = this.room.map(|room| room - count);
            this.writes.push(bytes[..count].to_vec());
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn write(buffered: &mut Buffered<Sink>, bytes: &[u8]) -> Poll<usize> {
        let cx = &mut Context::from_waker(Waker::noop());
        Pin::new(buffered).poll_write(cx, bytes).map(Result::unwrap)
    }

    fn write_out(buffer: &WriteBuffer<Sink>) -> bool {
        buffer.poll_write_out(&mut Context::from_waker(Waker::noop())).map(Result::unwrap).is_ready()
    }

    #[test]
    fn what_is_written_in_one_poll_leaves_in_one_write() {
        let (mut buffered, buffer) = gather(Sink::default());
        for bytes in [&b"message"[..], b"trailers"] {
            assert_eq!(write(&mut buffered, bytes), Poll::Ready(bytes.len()));
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut buffered).poll_flush(cx).is_ready());
        }
        assert!(write_out(&buffer));
        assert_eq!(buffered.0.borrow().inner.writes, [b"messagetrailers"]);
        assert!(write_out(&buffer));
        assert_eq!(buffered.0.borrow().inner.writes.len(), 1);
    }

    #[test]
    fn a_full_buffer_is_written_out_and_nothing_is_lost_or_moved() {
        let (mut buffered, buffer) = gather(Sink::default());
        let sent: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut from = 0;
        while from < sent.len() {
            let Poll::Ready(count) = write(&mut buffered, &sent[from..sent.len().min(from + 50_000)]) else { panic!() };
            from += count;
            assert!(buffered.0.borrow().bytes.len() <= BYTES_MAX);
        }
        assert!(write_out(&buffer));
        assert_eq!(buffered.0.borrow().inner.writes.concat(), sent);
        assert!(buffered.0.borrow().bytes.capacity() <= KEPT_BYTES_MAX);
    }

    #[test]
    fn nothing_more_is_gathered_while_a_caller_takes_nothing() {
        let (mut buffered, buffer) = gather(Sink { room: Some(3), ..Sink::default() });
        assert_eq!(write(&mut buffered, b"seven"), Poll::Ready(5));
        assert!(!write_out(&buffer));
        assert_eq!(write(&mut buffered, b"8"), Poll::Pending);
        assert_eq!(buffer.size(), 5);
        buffered.0.borrow_mut().inner.room = None;
        assert_eq!(write(&mut buffered, b"8"), Poll::Ready(1));
        assert!(write_out(&buffer));
        assert_eq!(buffered.0.borrow().inner.writes.concat(), b"seven8");
        assert_eq!(buffer.size(), 0);
    }
}
