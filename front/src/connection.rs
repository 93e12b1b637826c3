//! One caller's connection: its handshake, its calls, and its end.
//!
//! It knows HTTP/2 and which part takes a call. It may not know bodies or codes.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Ping, PingPong, Reason, RecvStream};
use http::Request;
use mio::net::TcpStream;

use crate::calls;
use crate::counts::Method;
use crate::guard::Guard;
use crate::headers;
use crate::open_call::Entry;
use crate::shared::{Peer, Shared};
use crate::stream_task;
use crate::timers::{self, Sleep};
use crate::upstream;
use crate::watched::Watched;

/// Bytes of a call's answer that h2 holds before it asks for more: a batch's answer is some 40 KiB for 1,000 codes.
const SEND_BYTES_MAX: usize = 128 * 1024;
/// The connection's window, in windows of a call: so many calls whose bodies are not taken stall their own connection.
const WINDOWS: u32 = 16;
/// The time in which a hostile caller must take what it is told. It may read nothing.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The bound on a call's headers.
const HEADER_BYTES_MAX: u32 = 8 * 1024;

type Http2 = server::Connection<Guard<Watched<TcpStream>>, Bytes>;

/// Serve a connection until it ends.
pub async fn serve(socket: Watched<TcpStream>, peer: Rc<Peer>) {
    let shared = peer.shared.clone();
    let _open = Open::new(&shared);
    let limits = &shared.limits;
    let calls_max = limits.calls_max as usize;
    let handshake = server::Builder::new()
        .initial_window_size(limits.window_bytes)
        .initial_connection_window_size(limits.window_bytes.saturating_mul(WINDOWS))
        .max_concurrent_streams(limits.calls_max)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_send_buffer_size(SEND_BYTES_MAX)
        // Rapid Reset (CVE-2023-44487): calls that end before they are looked at, and calls that we end. A caller may
        // give up all of its calls at once.
        .max_pending_accept_reset_streams(calls_max)
        .max_concurrent_reset_streams(calls_max)
        .handshake::<_, Bytes>(Guard::new(socket, peer.traffic.clone()));
    let began = Instant::now();
    let Some(Ok(mut http2)) = timers::before(shared.timers.sleep_until(began + limits.handshake_s), handshake).await
    else {
        return;
    };
    let Some(pings) = http2.ping_pong() else { return };
    let watch = Watch::new(&shared, pings, began);
    Connection { http2, watch, peer, is_told: false, cut: None }.await;
}

/// Counts a connection while it is open.
struct Open(Rc<Shared>);

impl Open {
    fn new(shared: &Rc<Shared>) -> Self {
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
    watch: Watch,
    peer: Rc<Peer>,
    /// Whether the caller knows that it may begin no more calls.
    is_told: bool,
    /// Until when a hostile caller may take what it is told.
    cut: Option<Sleep>,
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.cut.is_some() {
            return this.poll_cut(cx);
        }
        match this.watch.poll(&this.peer, cx) {
            Some(Act::Close) => return Poll::Ready(()),
            Some(Act::SayGoodbye) => this.say_goodbye(),
            None => {}
        }
        if this.peer.shared.is_draining.get() {
            this.say_goodbye();
        }
        loop {
            match this.http2.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => begin(&this.peer, request, respond),
                Poll::Ready(Some(Err(fault))) => {
                    if fault.is_go_away() && !fault.is_remote() {
                        this.peer.shared.counts.refused("connection_hostile");
                    }
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending if this.peer.traffic.is_hostile.get() => {
                    this.cut();
                    return this.poll_cut(cx);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Connection {
    fn say_goodbye(&mut self) {
        if !self.is_told {
            self.is_told = true;
            self.http2.graceful_shutdown();
        }
    }

    /// End a hostile connection and its calls, and say why (RFC 9113, section 7).
    fn cut(&mut self) {
        let shared = &self.peer.shared;
        shared.counts.refused("connection_hostile");
        self.http2.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        self.cut = Some(shared.timers.sleep_until(Instant::now() + LAST_WORDS));
    }

    fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(cut) = &mut self.cut else { return Poll::Ready(()) };
        if self.http2.poll_closed(cx).is_ready() { Poll::Ready(()) } else { Pin::new(cut).poll(cx) }
    }
}

/// Begin a call where it belongs.
fn begin(peer: &Rc<Peer>, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    let (head, body) = request.into_parts();
    match headers::plain(&head) {
        Some((Method::StreamVerify, timeout)) => stream_task::begin(peer, body, respond, timeout),
        Some((method, timeout)) => calls::begin(peer, (head, body), respond, method, timeout),
        None => upstream::pass_on(Entry::open(peer), head, Bytes::new(), body, respond),
    }
}

enum Act {
    Close,
    SayGoodbye,
}

/// The times of a connection: its handshake, silence that a ping ends, and idleness that ends the connection.
struct Watch {
    sleep: Sleep,
    pings: PingPong,
    began: Instant,
    pinged_at: Option<Instant>,
    closes_at: Option<Instant>,
}

impl Watch {
    fn new(shared: &Shared, pings: PingPong, began: Instant) -> Self {
        let limits = &shared.limits;
        let first = limits.handshake_s.min(limits.keepalive_s).min(limits.idle_s);
        let sleep = shared.timers.sleep_until(began + first);
        Self { sleep, pings, began, pinged_at: None, closes_at: None }
    }

    fn poll(&mut self, peer: &Peer, cx: &mut Context<'_>) -> Option<Act> {
        while Pin::new(&mut self.sleep).poll(cx).is_ready() {
            let (act, next) = self.look(peer, Instant::now());
            self.sleep.reset(next);
            if act.is_some() {
                cx.waker().wake_by_ref(); // the wait for the next time begins then
                return act;
            }
        }
        if self.pinged_at.is_some() {
            let _ = self.pings.poll_pong(cx); // makes the next ping possible; anything read counts as an answer
        }
        None
    }

    /// Return what is to be done now, and when to look again.
    fn look(&mut self, peer: &Peer, now: Instant) -> (Option<Act>, Instant) {
        let limits = &peer.shared.limits;
        let (read_at, used_at) = (peer.traffic.read_at.get(), peer.used_at.get());
        let is_idle = peer.open_calls.get() == 0;
        if self.closes_at.is_some_and(|at| at <= now) {
            if is_idle {
                return (Some(Act::Close), now);
            }
            self.closes_at = Some(now + limits.keepalive_timeout_s); // a call has come before the goodbye was read
        }
        let handshake_ends = self.began + limits.handshake_s;
        if !peer.traffic.has_settings.get() && handshake_ends <= now {
            return (Some(Act::Close), now);
        }
        self.pinged_at = self.pinged_at.filter(|at| read_at <= *at);
        if self.pinged_at.is_some_and(|at| at + limits.keepalive_timeout_s <= now) {
            return (Some(Act::Close), now);
        }
        if self.pinged_at.is_none() && read_at + limits.keepalive_s <= now {
            // It fails where a ping is not answered yet, or the connection is over.
            let _ = self.pings.send_ping(Ping::opaque());
            self.pinged_at = Some(now);
        }
        if is_idle && used_at + limits.idle_s <= now && self.closes_at.is_none() {
            self.closes_at = Some(now + limits.keepalive_timeout_s);
            return (Some(Act::SayGoodbye), now + limits.keepalive_timeout_s);
        }
        let silence = self.pinged_at.map_or(read_at + limits.keepalive_s, |at| at + limits.keepalive_timeout_s);
        let idleness = if is_idle { used_at } else { now } + limits.idle_s;
        let handshake = (!peer.traffic.has_settings.get()).then_some(handshake_ends);
        let next = [Some(silence), self.closes_at.or(Some(idleness)), handshake].into_iter().flatten().min();
        (None, next.unwrap_or(silence))
    }
}
