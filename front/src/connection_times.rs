//! The times of one connection: its handshake, its silences, its age, and the end of one that is not used.
//!
//! It knows when something was read and when a call was open. It may not know calls, or send anything but a ping.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};

use h2::{Ping, PingPong};

use crate::shared::{Peer, Shared};
use crate::timers::Sleep;

/// What is to be done with a connection.
pub enum Act {
    Close,
    SayGoodbye,
    EndStreams,
}

/// The times of a connection: its handshake, silence that a ping ends, idleness that ends the connection, and its age,
/// past which it takes no further calls, so that its caller may come to another server.
pub struct Watch {
    sleep: Sleep,
    pings: PingPong,
    began: Instant,
    pinged_at: Option<Instant>,
    closes_at: Option<Instant>,
    /// When the connection takes no further calls.
    ages_at: Instant,
}

impl Watch {
    pub fn new(shared: &Shared, pings: PingPong, began: Instant) -> Self {
        let limits = &shared.limits;
        let ages_at = began + spread(limits.age_s);
        let first = began + limits.handshake_s.min(limits.keepalive_s).min(limits.idle_s);
        let sleep = shared.timers.sleep_until(first.min(ages_at));
        Self { sleep, pings, began, pinged_at: None, closes_at: None, ages_at }
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
        let over_at = self.ages_at + limits.age_ends_s;
        if over_at <= now && !peer.is_ending.get() {
            return (Some(Act::EndStreams), now);
        }
        if over_at + limits.keepalive_timeout_s <= now {
            return (Some(Act::Close), now);
        }
        let is_unused = is_idle && used_at + limits.idle_s <= now;
        if (is_unused || self.ages_at <= now) && self.closes_at.is_none() {
            self.closes_at = Some(now + limits.keepalive_timeout_s);
            return (Some(Act::SayGoodbye), now);
        }
        let silence = self.pinged_at.map_or(read_at + limits.keepalive_s, |at| at + limits.keepalive_timeout_s);
        let idleness = if is_idle { used_at } else { now } + limits.idle_s;
        let handshake = (!peer.traffic.has_settings.get()).then_some(handshake_ends);
        let age = match (self.closes_at, peer.is_ending.get()) {
            (None, _) => self.ages_at,
            (Some(_), false) => over_at,
            (Some(_), true) => over_at + limits.keepalive_timeout_s,
        };
        let next = [Some(silence), self.closes_at.or(Some(idleness)), Some(age), handshake].into_iter().flatten().min();
        (None, next.unwrap_or(silence))
    }
}

/// Return a time that is up to a tenth shorter or longer, as gRPC has it: connections that began together, as after a
/// restart, do not end together.
fn spread(time: Duration) -> Duration {
    let thousandths = RandomState::new().hash_one(()) % 201;
    time * u32::try_from(900 + thousandths).unwrap_or(1000) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_differ_and_by_no_more_than_a_tenth() {
        let ages: Vec<Duration> = (0..200).map(|_| spread(Duration::from_secs(1000))).collect();
        assert!(ages.iter().all(|age| (900..=1100).contains(&age.as_secs())));
        assert!(ages.iter().any(|age| age != &ages[0]));
    }
}
