//! What connections are made with in TLS, and the connections that are: whose certificates are looked at again when
//! that has changed. A revocation takes effect on callers who are connected.
//!
//! It knows callers' certificates. It may not know sockets or HTTP.

use std::cell::{OnceCell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::Poll;

use bytes::Bytes;
use http::HeaderValue;
use rustls::pki_types::CertificateDer;
use slab::Slab;

use crate::answers;
use crate::handshakes::Place;
use crate::shared::{Peer, Shared};
use crate::tls::Tls;

/// The TLS of a front, or none, and those who are connected by it.
#[derive(Default)]
pub struct OpenTls {
    current: RefCell<Option<Rc<Tls>>>,
    peers: RefCell<Slab<Weak<Peer>>>,
}

impl OpenTls {
    pub fn new(tls: Option<Rc<Tls>>) -> Self {
        Self { current: RefCell::new(tls), peers: RefCell::default() }
    }

    /// Return what new connections are made with.
    pub fn current(&self) -> Option<Rc<Tls>> {
        self.current.borrow().clone()
    }

    /// Note that a caller is connected, by a chain of certificates or none.
    pub fn add(&self, peer: &Rc<Peer>, chain: &[CertificateDer<'static>]) {
        let mut peers = self.peers.borrow_mut();
        let certificate = chain.first().map_or_else(Bytes::new, |leaf| Bytes::copy_from_slice(leaf));
        let (place, of) = (peers.insert(Rc::downgrade(peer)), Rc::downgrade(&peer.shared));
        let secured = Secured { chain: chain.to_vec(), certificate, header: OnceCell::new(), place, of };
        let _ = peer.secured.set(secured); // a connection has one handshake
    }

    fn peer(&self, place: usize) -> Option<Rc<Peer>> {
        self.peers.borrow().get(place)?.upgrade()
    }

    /// The number of places, some of which are empty.
    fn places(&self) -> usize {
        self.peers.borrow().capacity()
    }

    fn is_current(&self, tls: &Rc<Tls>) -> bool {
        self.current.borrow().as_ref().is_some_and(|current| Rc::ptr_eq(current, tls))
    }

    pub fn clear(&self) {
        drop(self.peers.take());
    }
}

/// What TLS knows of a caller.
pub struct Secured {
    /// The caller's certificate, and those between it and an authority.
    chain: Vec<CertificateDer<'static>>,
    /// The first of them as calls have it, and as it is passed on.
    certificate: Bytes,
    header: OnceCell<HeaderValue>,
    place: usize,
    of: Weak<Shared>,
}

impl Secured {
    /// Return the caller's certificate in DER; empty where it has none.
    pub fn certificate(&self) -> Bytes {
        self.certificate.clone()
    }

    /// Return the caller's certificate as metadata has bytes. None where it has none.
    pub fn header(&self) -> Option<&HeaderValue> {
        let has_one = !self.certificate.is_empty();
        has_one.then(|| self.header.get_or_init(|| answers::binary(&self.certificate)))
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        if let Some(shared) = self.of.upgrade() {
            shared.tls.peers.borrow_mut().try_remove(self.place);
        }
    }
}

/// Make new connections with other files, and look at those that are open. False where the front has no TLS.
pub fn renew(shared: &Rc<Shared>, tls: Rc<Tls>) -> bool {
    if shared.tls.current.borrow().is_none() {
        return false;
    }
    *shared.tls.current.borrow_mut() = Some(tls.clone());
    shared.executor.spawn(look_again(shared.clone(), tls));
    true
}

/// End the connections whose callers would not be let in now. It takes its time as handshakes do, between which callers
/// are answered. Where the files change again meanwhile, the next look sees all connections.
async fn look_again(shared: Rc<Shared>, tls: Rc<Tls>) {
    for number in 0..shared.tls.places() {
        if !shared.tls.is_current(&tls) {
            return;
        }
        let Some(peer) = shared.tls.peer(number) else { continue };
        let mut place = Place::default();
        let look = poll_fn(|cx| {
            shared.handshakes.poll_work(&mut place, cx, |_| {
                Poll::Ready(peer.secured.get().is_none_or(|secured| tls.admits(&secured.chain)))
            })
        });
        if !look.await {
            peer.refuse();
        }
    }
}
