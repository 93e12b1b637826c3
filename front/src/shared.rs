//! What all tasks of a front share, and what the calls of a connection share.
//!
//! It knows the parts. It may not know what is done with them.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderValue;

use crate::answers::Replies;
use crate::budget::{Account, Budget};
use crate::counts::Counts;
use crate::credential::Credential;
use crate::credentials::Credentials;
use crate::executor::Executor;
use crate::guard::Traffic;
use crate::handshakes::Handshakes;
use crate::headers;
use crate::limits::Limits;
use crate::open_streams::OpenStreams;
use crate::open_tls::{OpenTls, Secured};
use crate::pace::Pace;
use crate::queue::Queue;
use crate::reactor::Sockets;
use crate::timers::Timers;
use crate::upstream::Inner;

pub struct Shared {
    pub executor: Executor,
    pub timers: Timers,
    pub sockets: Sockets,
    pub limits: Limits,
    pub replies: Replies,
    pub counts: Counts,
    pub budget: Budget,
    pub pace: Rc<Pace>,
    pub queue: Queue,
    pub streams: OpenStreams,
    pub tls: OpenTls,
    pub handshakes: Handshakes,
    pub credentials: Credentials,
    pub upstream: String,
    pub token: HeaderValue,
    /// Whether the front takes no more calls.
    pub is_draining: Cell<bool>,
}

/// A caller's connection, as its calls see it. It outlives the connection where a call is still being checked.
pub struct Peer {
    pub shared: Rc<Shared>,
    /// The address, as gRPC writes it.
    pub name: HeaderValue,
    pub account: Account,
    pub traffic: Rc<Traffic>,
    /// The way to the listener in Python, for this connection's calls alone.
    pub inner: Inner,
    pub open_calls: Cell<usize>,
    /// Verify calls in the queue, cancelled ones among them.
    pub waiting_singles: Cell<usize>,
    /// Whether its streams are to end, since it has had its time.
    pub is_ending: Cell<bool>,
    /// When the last of its open calls ended.
    pub used_at: Cell<Instant>,
    /// What TLS knows of the caller, where it is used.
    pub secured: OnceCell<Secured>,
    /// Whether the caller is on this machine.
    pub is_local: bool,
    /// The credential of its last call.
    pub credential: RefCell<Weak<Credential>>,
    /// Whether its certificate counts no longer, and the task to be told of that.
    pub is_refused: Cell<bool>,
    pub waker: RefCell<Waker>,
}

impl Peer {
    pub fn new(shared: Rc<Shared>, address: SocketAddr) -> Rc<Self> {
        let now = Instant::now();
        Rc::new(Self {
            name: headers::peer(address),
            is_local: address.ip().to_canonical().is_loopback(),
            account: shared.budget.account(),
            traffic: Traffic::new(now),
            inner: Inner::default(),
            open_calls: Cell::new(0),
            waiting_singles: Cell::new(0),
            is_ending: Cell::new(false),
            used_at: Cell::new(now),
            secured: OnceCell::new(),
            credential: RefCell::default(),
            is_refused: Cell::new(false),
            waker: RefCell::new(Waker::noop().clone()),
            shared,
        })
    }

    /// Return the caller's certificate in DER; empty where it has none.
    pub fn certificate(&self) -> Bytes {
        self.secured.get().map_or_else(Bytes::new, Secured::certificate)
    }

    /// End the connection, since the caller's certificate counts no longer.
    pub fn refuse(&self) {
        self.is_refused.set(true);
        self.waker.borrow().wake_by_ref();
    }
}
