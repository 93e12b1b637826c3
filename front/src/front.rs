//! The front as a whole, turned by the thread that made it.
//!
//! It knows the parts and how they are put together. It may not know Python.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::Instant;

use http::HeaderValue;
use mio::unix::SourceFd;

use crate::answers::{self, Replies, Status};
use crate::batch_calls;
use crate::budget::Budget;
use crate::calls;
use crate::counts::Counts;
use crate::credentials::Credentials;
use crate::executor::Executor;
use crate::handshakes::Handshakes;
use crate::limits::Limits;
use crate::listener;
use crate::open_streams::OpenStreams;
use crate::open_tls::{self, OpenTls};
use crate::queue::Queue;
use crate::reactor::Reactor;
use crate::requests::Host;
use crate::shared::Shared;
use crate::streams;
use crate::timers::Timers;
use crate::tls::Tls;
use crate::work::Work;

pub struct Front {
    reactor: RefCell<Reactor>,
    shared: Rc<Shared>,
    port: u16,
    is_closed: Cell<bool>,
}

/// What a front is made of besides its limits.
pub struct Setup {
    pub hosts: Vec<IpAddr>,
    pub port: u16,
    pub upstream: String,
    pub token: HeaderValue,
    pub replies: Replies,
    pub latency_buckets_s: Vec<f64>,
    pub limits: Limits,
    pub tls: Option<Rc<Tls>>,
}

impl Front {
    /// Listen.
    pub fn new(setup: Setup) -> io::Result<Self> {
        let Setup { hosts, port, upstream, token, replies, latency_buckets_s, limits, tls } = setup;
        let (listeners, port) = listener::listen(&hosts, port, limits.shares_port)?;
        let (reactor, timers) = (Reactor::new()?, Timers::new()?);
        let sockets = reactor.sockets();
        let timer = timers.as_raw_fd();
        reactor.watch_alone(&mut SourceFd(&timer))?;
        let listeners = listeners.into_iter().map(|one| sockets.watch(one, true)).collect::<io::Result<Vec<_>>>()?;
        let shared = Rc::new(Shared {
            executor: Executor::default(),
            timers,
            sockets,
            replies,
            counts: Counts::new(latency_buckets_s),
            budget: Budget::new(limits.held_bytes_max),
            pace: Rc::default(),
            queue: Queue::default(),
            streams: OpenStreams::default(),
            tls: OpenTls::new(tls),
            handshakes: Handshakes::default(),
            credentials: Credentials::new(limits.credentials_max),
            upstream,
            token,
            is_draining: Cell::new(false),
            limits,
        });
        for listener in listeners {
            shared.executor.spawn(listener::accept_all(listener, shared.clone()));
        }
        Ok(Self { reactor: RefCell::new(reactor), shared, port, is_closed: Cell::new(false) })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Do what can be done now, and return the number of codes that can be taken.
    pub fn turn(&self, reads: bool) -> io::Result<usize> {
        self.shared.sockets.set_reads(reads);
        self.reactor.borrow_mut().look()?;
        self.shared.timers.wake_due(Instant::now());
        if reads {
            self.shared.handshakes.begin_turn();
        }
        self.shared.executor.run();
        // Answers are written between turns, and nothing is read then.
        self.shared.sockets.set_reads(false);
        Ok(self.shared.queue.len())
    }

    pub fn has_work(&self) -> bool {
        let shared = &self.shared;
        shared.executor.has_ready()
            || shared.sockets.has_held_back()
            || shared.queue.has_ended()
            || shared.handshakes.has_waiting()
            || shared.credentials.has_asking()
    }

    /// Take the work that is next: at most ``count_max`` single codes, and all messages.
    pub fn take(&self, count_max: usize) -> Vec<Work> {
        let taken = self.shared.queue.take(count_max);
        self.shared.executor.run(); // calls may have been refused
        taken
    }

    /// Take the batch that is next: its ticket, its host, the number of its codes, and when its caller waits no longer.
    pub fn take_batch(&self) -> Option<(usize, Host, usize, Option<Instant>)> {
        let (ticket, host, count, call) = self.shared.queue.take_batch()?;
        let deadline = call.deadline();
        self.shared.executor.spawn(batch_calls::watch(call, ticket, self.shared.clone()));
        self.shared.executor.run(); // calls may have been refused
        Some((ticket, host, count, deadline))
    }

    /// Answer the codes of singles or scans, of which there is one place in ``which`` each.
    pub fn answer(&self, work: Work, pieces: &[&[u8]], which: &[usize], tail: &[u8]) {
        match work {
            Work::Singles(singles) => calls::answer(singles, pieces, which, tail),
            Work::Scans(scans) => streams::answer(scans, pieces, which, tail, &self.shared),
            Work::Batch(_) | Work::Message(_) => {}
        }
        self.shared.executor.run();
    }

    /// Answer a batch or a message.
    pub fn answer_whole(&self, work: Work, message: &[u8]) {
        match work {
            Work::Batch(batch) => {
                if let Some(call) = batch.call.take() {
                    call.answer_large(answers::body(&[message]));
                }
            }
            Work::Message(odd) => streams::answer_whole(&odd.stream, odd.number, message, &self.shared),
            Work::Singles(_) | Work::Scans(_) => {}
        }
        self.shared.executor.run();
    }

    /// End calls with a failure.
    pub fn fail(&self, work: Work, status: &Status) {
        match work {
            Work::Singles(singles) => calls::fail(singles, status),
            Work::Scans(scans) => {
                for scan in scans {
                    streams::fail(&scan.stream, scan.number, status);
                }
            }
            Work::Batch(batch) => {
                if let Some(call) = batch.call.take() {
                    call.refuse(status);
                }
            }
            Work::Message(odd) => streams::fail(&odd.stream, odd.number, status),
        }
        self.shared.executor.run();
    }

    /// Make new connections by other TLS, and end open ones that it does not admit. False where the front has none.
    pub fn renew_tls(&self, tls: Rc<Tls>) -> bool {
        self.is_closed.get() || open_tls::renew(&self.shared, tls)
    }

    /// Take no more connections and calls, and end streams.
    pub fn drain(&self) -> io::Result<()> {
        self.shared.is_draining.set(true);
        self.shared.executor.wake_all();
        self.turn(true).map(drop)
    }

    /// Whether no call is open, and no caller has an answer to take.
    pub fn is_idle(&self) -> bool {
        let shared = &self.shared;
        shared.counts.open_calls.get() == 0 && shared.sockets.full() == 0 && !shared.executor.has_ready()
    }

    /// Close everything. Nothing is done afterwards.
    pub fn close(&self) {
        self.is_closed.set(true);
        // Tasks refer to what is shared, and it to them: both are let go here.
        self.shared.executor.clear();
        self.shared.queue.clear();
        self.shared.streams.clear();
        self.shared.credentials.clear();
        self.shared.tls.clear();
        self.shared.executor.clear();
    }
}

impl AsRawFd for Front {
    fn as_raw_fd(&self) -> RawFd {
        self.reactor.borrow().as_raw_fd()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.close();
    }
}
