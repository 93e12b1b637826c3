//! Sends bytes no faster than the other side takes them.
//!
//! It knows HTTP/2 streams. It may not know what is in them.

use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};

/// Return how many of ``wanted`` bytes may be sent now. Err where the other side has gone.
pub fn poll_room(to: &mut SendStream<Bytes>, wanted: usize, cx: &mut Context<'_>) -> Poll<Result<usize, Reason>> {
    to.reserve_capacity(wanted);
    loop {
        if to.capacity() > 0 {
            return Poll::Ready(Ok(to.capacity().min(wanted)));
        }
        match to.poll_capacity(cx) {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(fault))) => return Poll::Ready(Err(reason_of(&fault))),
            Poll::Ready(None) => return Poll::Ready(Err(Reason::CANCEL)),
            Poll::Pending => return Poll::Pending,
        }
    }
}

/// Return the reason for which the other side has reset a stream, once it has.
pub fn poll_gone(to: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Reason> {
    to.poll_reset(cx).map(|result| result.unwrap_or_else(|fault| reason_of(&fault)))
}

/// Send bytes.
pub async fn send(to: &mut SendStream<Bytes>, mut bytes: Bytes) -> Result<(), Reason> {
    while !bytes.is_empty() {
        let room = poll_fn(|cx| match poll_gone(to, cx) {
            Poll::Ready(reason) => Poll::Ready(Err(reason)),
            Poll::Pending => poll_room(to, bytes.len(), cx),
        })
        .await?;
        to.send_data(bytes.split_to(room), false).map_err(|fault| reason_of(&fault))?;
    }
    Ok(())
}

/// Send all that comes in, and its end: trailers, or none. What is not taken is not read: flow control reaches through.
pub async fn pump(mut from: RecvStream, to: &mut SendStream<Bytes>) -> Result<(), Reason> {
    loop {
        let next = poll_fn(|cx| match poll_gone(to, cx) {
            Poll::Ready(reason) => Poll::Ready(Some(Err(reason))),
            Poll::Pending => from.poll_data(cx).map_err(|fault| reason_of(&fault)),
        });
        match next.await {
            Some(Ok(bytes)) => {
                let size = bytes.len();
                send(to, bytes).await?;
                let _ = from.flow_control().release_capacity(size); // fails only where the stream is over
            }
            Some(Err(reason)) => {
                to.send_reset(reason);
                return Err(reason);
            }
            None => break,
        }
    }
    let trailers = poll_fn(|cx| from.poll_trailers(cx)).await.map_err(|fault| reason_of(&fault))?;
    match trailers {
        Some(trailers) => to.send_trailers(trailers),
        None => to.send_data(Bytes::new(), true),
    }
    .map_err(|fault| reason_of(&fault))
}

/// Return the reason to reset the other half of a call with: a broken connection has none of its own.
pub fn reason_of(fault: &h2::Error) -> Reason {
    fault.reason().filter(|reason| *reason != Reason::NO_ERROR).unwrap_or(Reason::CANCEL)
}
