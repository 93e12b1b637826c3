//! One caller's connection: its handshake, its calls, and its end.
//!
//! It knows HTTP/2 and which part takes a call. It may not know bodies or codes.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use mio::net::TcpStream;

use crate::budget::Charge;
use crate::calls;
use crate::claims::{self, Shown};
use crate::connection_times::{Act, Watch};
use crate::counts::Method;
use crate::guard::Guard;
use crate::headers;
use crate::linger;
use crate::open_call::Entry;
use crate::shared::{Peer, Shared};
use crate::stream_task;
use crate::timers::{self, Sleep};
use crate::transport::{self, Transport};
use crate::upstream;
use crate::watched::Watched;
use crate::write_buffer::{self, Buffered, WriteBuffer};

/// Bytes of a call's answer that h2 holds before it asks for more: a batch's answer is some 40 KiB for 1,000 codes.
const SEND_BYTES_MAX: usize = 128 * 1024;
/// The connection's window, in windows of a call: so many calls whose bodies are not taken stall their own connection.
const WINDOWS: u32 = 16;
/// Bytes that any caller may leave unread for a while, beside what the system holds: 32 MiB of all connections together.
const STUCK_BYTES: usize = 4 * 1024;
/// The time in which a caller whose connection is ended must take what it is told. It may read nothing.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The bound on a call's headers. A token of more than 8 KiB comes through, so that it is refused by name.
const HEADER_BYTES_MAX: u32 = 12 * 1024;

type Socket = Guard<Transport>;
type Http2 = server::Connection<Buffered<Socket>, Bytes>;

/// Serve a connection until it ends. ``_open`` counts it from when it was accepted.
pub async fn serve(socket: Watched<TcpStream>, peer: Rc<Peer>, _open: Open) {
    let shared = peer.shared.clone();
    let limits = &shared.limits;
    let calls_max = limits.calls_max as usize;
    let began = Instant::now();
    let ends = began + limits.handshake_s;
    let Some(transport) = transport::begin(socket, &peer, ends).await else { return };
    let (buffered, written) = write_buffer::gather(Guard::new(transport, peer.traffic.clone()));
    let mut handshake = server::Builder::new()
        .initial_window_size(limits.window_bytes)
        .initial_connection_window_size(limits.window_bytes.saturating_mul(WINDOWS))
        .max_concurrent_streams(limits.calls_max)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_send_buffer_size(SEND_BYTES_MAX)
        // Rapid Reset (CVE-2023-44487): calls that end before they are looked at, and calls that we end. A caller may
        // give up all of its calls at once.
        .max_pending_accept_reset_streams(calls_max)
        .max_concurrent_reset_streams(calls_max)
        .handshake::<_, Bytes>(buffered);
    let handshake = poll_fn(|cx| {
        let state = Pin::new(&mut handshake).poll(cx);
        let _ = written.poll_write_out(cx); // an error comes again with the next read
        state
    });
    let Some(Ok(mut http2)) = timers::before(shared.timers.sleep_until(ends), handshake).await else { return };
    let Some(pings) = http2.ping_pong() else { return };
    let watch = Watch::new(&shared, pings, began);
    let mut connection = Connection { http2, written, stuck: None, watch, peer, is_told: false, cut: None };
    let end = (&mut connection).await;
    let Connection { http2, written, .. } = connection;
    drop(http2);
    if end == End::Said
        && let Some(guard) = written.into_inner()
    {
        linger::linger(guard.into_inner(), &shared.timers).await;
    }
}

/// How a connection has ended.
#[derive(PartialEq)]
enum End {
    /// Its caller was told, or has hung up: h2 has closed the writing half.
    Said,
    /// Its caller takes nothing, or says nothing.
    Silent,
}

/// Counts a connection while it is open.
pub struct Open(Rc<Shared>);

impl Open {
    pub fn new(shared: &Rc<Shared>) -> Self {
        shared.counts.connections.update(|count| count + 1);
        Self(shared.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counts.connections.update(|count| count - 1);
    }
}

struct Connection {
    http2: Http2,
    written: WriteBuffer<Socket>,
    /// What its caller does not take of that.
    stuck: Option<Charge>,
    watch: Watch,
    peer: Rc<Peer>,
    /// Whether the caller knows that it may begin no more calls.
    is_told: bool,
    /// Until when a caller whose connection is ended may take what it is told.
    cut: Option<Sleep>,
}

impl Future for Connection {
    type Output = End;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let this = self.get_mut();
        let state = this.poll_calls(cx);
        let has_ended = match this.written.poll_write_out(cx) {
            Poll::Ready(result) => {
                this.stuck = None;
                result.is_err()
            }
            Poll::Pending => !this.holds_stuck(),
        };
        if has_ended { Poll::Ready(End::Silent) } else { state }
    }
}

impl Connection {
    fn poll_calls(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.cut.is_some() {
            return self.poll_cut(cx);
        }
        if self.peer.secured.get().is_some() && self.is_refused(cx) {
            self.cut("certificate_refused", Reason::INADEQUATE_SECURITY);
            return self.poll_cut(cx);
        }
        match self.watch.poll(&self.peer, cx) {
            Some(Act::Close) => return Poll::Ready(End::Silent),
            Some(Act::SayGoodbye) => self.say_goodbye(),
            Some(Act::EndStreams) => self.end_streams(),
            None => {}
        }
        if self.peer.shared.is_draining.get() {
            self.say_goodbye();
        }
        loop {
            match self.http2.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => begin(&self.peer, request, respond),
                Poll::Ready(Some(Err(fault))) => {
                    if fault.is_go_away() && !fault.is_remote() {
                        self.peer.shared.counts.refused("connection_hostile");
                    }
                    return Poll::Ready(End::Said);
                }
                Poll::Ready(None) => return Poll::Ready(End::Said),
                Poll::Pending if self.peer.traffic.is_hostile.get() => {
                    self.cut("connection_hostile", Reason::ENHANCE_YOUR_CALM);
                    return self.poll_cut(cx);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Count what the caller does not take. Return whether there is room for it: otherwise the connection ends, since
    /// what it would be refused with could not be sent either.
    fn holds_stuck(&mut self) -> bool {
        let size = self.written.size();
        let charge = self.stuck.get_or_insert_with(|| self.peer.account.charge());
        size <= STUCK_BYTES || size <= charge.size() || charge.grow_to(size)
    }

    fn say_goodbye(&mut self) {
        if !self.is_told {
            self.is_told = true;
            self.http2.graceful_shutdown();
        }
    }

    /// End the streams of a connection that has had its time, after the answers that are due.
    fn end_streams(&self) {
        self.peer.is_ending.set(true);
        self.peer.shared.streams.wake(&self.peer.name);
    }

    /// Whether the caller's certificate counts no longer.
    fn is_refused(&self, cx: &Context<'_>) -> bool {
        self.peer.waker.borrow_mut().clone_from(cx.waker());
        self.peer.is_refused.get()
    }

    /// End a connection and its calls, and say why (RFC 9113, section 7).
    fn cut(&mut self, counted: &'static str, reason: Reason) {
        let shared = &self.peer.shared;
        shared.counts.refused(counted);
        self.http2.abrupt_shutdown(reason);
        self.cut = Some(shared.timers.sleep_until(Instant::now() + LAST_WORDS));
    }

    fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let Some(cut) = &mut self.cut else { return Poll::Ready(End::Silent) };
        if self.http2.poll_closed(cx).is_ready() {
            return Poll::Ready(End::Said);
        }
        Pin::new(cut).poll(cx).map(|()| End::Silent)
    }
}

/// Begin a call where it belongs.
fn begin(peer: &Rc<Peer>, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let (head, body) = request.into_parts();
    let Some((method, timeout)) = headers::plain(&head) else {
        return upstream::pass_on(Entry::open(peer), head, Bytes::new(), body, respond);
    };
    let claim = match claims::shown(peer, &head.headers, method == Method::StreamVerify) {
        Shown::Nothing => None,
        Shown::Credential(claim) => match claim.denial() {
            Some((why, status)) => return Entry::open(peer).refuse(method, why, &status, &mut respond),
            None => Some(claim),
        },
        Shown::Odd => return upstream::pass_on(Entry::open(peer), head, Bytes::new(), body, respond),
        Shown::NoRoom => {
            let overloaded = &peer.shared.replies.overloaded;
            return Entry::open(peer).refuse(method, "credentials_full", overloaded, &mut respond);
        }
    };
    match method {
        Method::StreamVerify => stream_task::begin(peer, body, respond, timeout, claim),
        _ => calls::begin(peer, (head, body), respond, (method, timeout), claim),
    }
}
