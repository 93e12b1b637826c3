//! The streams that are open, within a bound.
//!
//! It knows who has them, and how long they were silent. It may not know their messages.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::HeaderValue;

use crate::open_call::Entry;
use crate::streams::Stream;

/// A stream that was silent for so long may be ended where the bound on streams is reached, as in ``rpc.admission``.
const YIELDS_AFTER: Duration = Duration::from_secs(5);

/// All open streams.
#[derive(Default)]
pub struct OpenStreams(RefCell<Vec<Rc<Stream>>>);

impl OpenStreams {
    /// Open a stream. Where the bound is reached, one that is silent is ended for it: the longest silent one of the
    /// address that has most. None where all are in use.
    pub fn open(&self, entry: Entry) -> Result<Rc<Stream>, Entry> {
        let shared = entry.peer.shared.clone();
        let mut streams = self.0.borrow_mut();
        streams.retain(|stream| !stream.is_over());
        if streams.len() >= shared.limits.streams_max {
            let Some(silent) = longest_silent(&streams) else {
                shared.counts.refused("stream_refused");
                return Err(entry);
            };
            shared.counts.refused("stream_displaced");
            streams.swap_remove(silent).fail_now(shared.replies.overloaded.clone());
        }
        let stream = Stream::new(entry);
        streams.push(stream.clone());
        Ok(stream)
    }

    /// Forget a stream that is over.
    pub fn close(&self, stream: &Rc<Stream>) {
        self.0.borrow_mut().retain(|other| !Rc::ptr_eq(other, stream));
    }

    /// Let the streams of a connection, by its caller's address, look at what has changed for them.
    pub fn wake(&self, peer_name: &HeaderValue) {
        self.0.borrow().iter().filter(|stream| stream.peer_name == peer_name).for_each(|stream| stream.wake());
    }

    pub fn clear(&self) {
        drop(self.0.take());
    }
}

/// Return the place of the stream that is to give way, if one is silent.
fn longest_silent(streams: &[Rc<Stream>]) -> Option<usize> {
    let now = Instant::now();
    let mut of_peer: HashMap<&HeaderValue, usize> = HashMap::new();
    for stream in streams {
        *of_peer.entry(&stream.peer_name).or_default() += 1;
    }
    let silent = streams.iter().enumerate().filter_map(|(place, stream)| {
        let yields_at = stream.silent_at(YIELDS_AFTER).filter(|at| *at <= now)?;
        Some((of_peer[&stream.peer_name], Reverse(yields_at), place))
    });
    silent.max().map(|(.., place)| place)
}
