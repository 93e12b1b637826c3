//! The times of one connection: its handshake, its silences, and the end of one that is not used.
//!
//! It knows when something was read and when a call was open. It may not know calls, or send anything but a ping.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

use h2::{Ping, PingPong};

use crate::shared::{Peer, Shared};
use crate::timers::Sleep;

/// What is to be done with a connection.
pub enum Act {
    Close,
    SayGoodbye,
}

/// The times of a connection: its handshake, silence that a ping ends, and idleness that ends the connection.
pub struct Watch {
    sleep: Sleep,
    pings: PingPong,
    began: Instant,
    pinged_at: Option<Instant>,
    closes_at: Option<Instant>,
}

impl Watch {
    pub fn new(shared: &Shared, pings: PingPong, began: Instant) -> Self {
        let limits = &shared.limits;
        let first = limits.handshake_s.min(limits.keepalive_s).min(limits.idle_s);
        let sleep = shared.timers.sleep_until(began + first);
        Self { sleep, pings, began, pinged_at: None, closes_at: None }
    }

    pub fn poll(&mut self, peer: &Peer, cx: &mut Context<'_>) -> Option<Act> {
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
