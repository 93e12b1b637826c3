//! Passes calls on to the listener in Python, over a Unix socket, byte for byte.
//!
//! Each caller's connection has an inner connection of its own, opened when it is first needed: so gRPC's bounds on a
//! connection hold as they would without the front, and a caller who does not read holds up nobody else.
//!
//! It knows HTTP/2 on both sides. It may not know methods, messages or codes.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::task::Poll;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::request::Parts;
use http::{Request, Response, Uri};
use mio::net::UnixStream;

use crate::answers::{self, Status};
use crate::headers;
use crate::open_call::Entry;
use crate::open_tls::Secured;
use crate::shared::Peer;
use crate::transfer;

/// Bytes of an answer that are read ahead of its caller.
const WINDOW_BYTES: u32 = 64 * 1024;

/// The inner connection of a caller's connection. It is closed once no call and no connection refers to it.
#[derive(Default)]
pub struct Inner(RefCell<Option<SendRequest<Bytes>>>);

/// Pass a call on. ``first`` are the bytes of its body that were read already.
pub fn pass_on(entry: Entry, head: Parts, first: Bytes, body: RecvStream, mut respond: SendResponse<Bytes>) {
    let shared = entry.peer.shared.clone();
    shared.counts.passed_on.update(|count| count + 1);
    shared.executor.spawn(async move {
        let Ok(sender) = connected(&entry.peer).await else {
            return answers::refuse(&mut respond, &Status::unreachable());
        };
        if let Err(reason) = carry(sender, request(head, &entry.peer), first, body, &mut respond).await {
            respond.send_reset(reason); // it does nothing where the call is over
        }
    });
}

/// Return a way to send requests, over the inner connection that is open or over a new one.
async fn connected(peer: &Peer) -> Result<SendRequest<Bytes>, ()> {
    let known = peer.inner.0.borrow().clone();
    if let Some(sender) = known
        && let Ok(sender) = sender.ready().await
    {
        return Ok(sender);
    }
    // It was never open, or the listener has closed it (GOAWAY). No two calls open one each: ``ready`` waits for no place
    // among the calls, which h2 gives later, and the handshake only writes some bytes into a socket that is empty.
    let shared = &peer.shared;
    let socket = UnixStream::connect(&shared.upstream).map_err(drop)?;
    let watched = shared.sockets.watch(socket, false).map_err(drop)?;
    let (sender, connection) = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES * shared.limits.calls_max)
        .handshake::<_, Bytes>(watched)
        .await
        .map_err(drop)?;
    shared.executor.spawn(async move {
        let _ = connection.await; // its calls are told of its end
    });
    *peer.inner.0.borrow_mut() = Some(sender.clone());
    sender.ready().await.map_err(drop)
}

/// Return a request as it is passed on: without the metadata that only the front may set, and with it.
fn request(mut head: Parts, peer: &Peer) -> Request<()> {
    headers::remove_reserved(&mut head.headers);
    let certificate = peer.secured.get().and_then(Secured::header);
    headers::add_reserved(&mut head.headers, &peer.shared.token, &peer.name, certificate);
    if head.uri.authority().is_none() && head.method != http::Method::CONNECT {
        // A caller may name the host by a header alone; h2 wants both parts.
        let mut parts = head.uri.clone().into_parts();
        parts.scheme = Some(http::uri::Scheme::HTTP);
        parts.authority = Some(http::uri::Authority::from_static("localhost"));
        head.uri = Uri::from_parts(parts).unwrap_or(head.uri);
    }
    Request::from_parts(head, ())
}

/// Carry both halves of a call until its answer has ended. Err where it cannot go on, with the reason to reset it with.
async fn carry(
    mut sender: SendRequest<Bytes>,
    request: Request<()>,
    first: Bytes,
    body: RecvStream,
    respond: &mut SendResponse<Bytes>,
) -> Result<(), Reason> {
    let is_empty = first.is_empty() && body.is_end_stream();
    let (response, up) = sender.send_request(request, is_empty).map_err(|fault| transfer::reason_of(&fault))?;
    drop(sender);
    let mut upward = Box::pin(async move { if is_empty { Ok(()) } else { upward(up, first, body).await } });
    let mut downward = Box::pin(downward(response, respond));
    let mut is_sent = false;
    poll_fn(|cx| {
        // A failure of this half becomes one of the other: the listener answers a reset, or has sent one.
        is_sent = is_sent || upward.as_mut().poll(cx).is_ready();
        downward.as_mut().poll(cx)
    })
    .await
}

async fn upward(mut up: SendStream<Bytes>, first: Bytes, body: RecvStream) -> Result<(), Reason> {
    transfer::send(&mut up, first).await?;
    transfer::pump(body, &mut up).await
}

async fn downward(mut response: ResponseFuture, respond: &mut SendResponse<Bytes>) -> Result<(), Reason> {
    let answer = poll_fn(|cx| match respond.poll_reset(cx) {
        Poll::Ready(result) => Poll::Ready(Err(Err(result.unwrap_or(Reason::CANCEL)))),
        Poll::Pending => std::pin::Pin::new(&mut response).poll(cx).map_err(Ok),
    });
    let (head, from) = match answer.await {
        Ok(answer) => answer.into_parts(),
        Err(Err(reason)) => return Err(reason),
        // The listener has ended: the call has not begun there, or its caller may not know what it did.
        Err(Ok(fault)) if fault.reason().is_none() => {
            answers::refuse(respond, &Status::unreachable());
            return Ok(());
        }
        Err(Ok(fault)) => return Err(transfer::reason_of(&fault)),
    };
    let ends = from.is_end_stream();
    let mut answer = Response::new(());
    (*answer.status_mut(), *answer.headers_mut()) = (head.status, head.headers);
    let mut down = respond.send_response(answer, ends).map_err(|fault| transfer::reason_of(&fault))?;
    if ends { Ok(()) } else { transfer::pump(from, &mut down).await }
}
