//! A caller's bytes, in TLS or not.
//!
//! It knows sockets and TLS. It may not know HTTP.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use mio::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::guard::Traffic;
use crate::handshakes::Place;
use crate::meter::{Meter, Metered};
use crate::shared::Peer;
use crate::timers;
use crate::tls::{self, Tls};
use crate::watched::Watched;

/// Bytes of TLS that wait for a socket that is full, at most; what is written before that is the write buffer's.
const UNSENT_BYTES_MAX: usize = 64 * 1024;

pub enum Transport {
    Plain(Watched<TcpStream>),
    Tls(Box<Secured>),
}

/// A connection in TLS.
pub struct Secured {
    stream: TlsStream<Metered<Watched<TcpStream>>>,
    meter: Rc<Meter>,
    traffic: Rc<Traffic>,
}

/// Begin a connection: in TLS where the front has it, whose handshake must end in time. None where it has failed.
pub async fn begin(socket: Watched<TcpStream>, peer: &Rc<Peer>, ends: Instant) -> Option<Transport> {
    let shared = &peer.shared;
    let Some(tls) = shared.tls.current() else { return Some(Transport::Plain(socket)) };
    let meter = Meter::new();
    let mut accepting = TlsAcceptor::from(tls.config.clone())
        .accept_with(Metered::new(socket, meter.clone()), |session| session.set_buffer_limit(Some(UNSENT_BYTES_MAX)));
    let mut place = Place::default();
    let accepting = poll_fn(|cx| shared.handshakes.poll_work(&mut place, cx, |cx| Pin::new(&mut accepting).poll(cx)));
    match timers::before(shared.timers.sleep_until(ends), accepting).await {
        None => shared.counts.refused("handshake_overdue"),
        Some(Err(fault)) => shared.counts.refused(tls::kind_of(&fault)),
        Some(Ok(stream)) => match admit(&stream, peer, &tls) {
            Ok(()) => {
                meter.open();
                let traffic = peer.traffic.clone();
                return Some(Transport::Tls(Box::new(Secured { stream, meter, traffic })));
            }
            Err(reason) => shared.counts.refused(reason),
        },
    }
    None
}

/// Keep the caller's certificates, which must count still: the files may have changed since the handshake began.
fn admit<S>(stream: &TlsStream<S>, peer: &Rc<Peer>, began_with: &Rc<Tls>) -> Result<(), &'static str> {
    let session = stream.get_ref().1;
    if session.alpn_protocol() != Some(tls::ALPN) {
        return Err("handshake_failed"); // it named no protocol
    }
    let chain = session.peer_certificates().unwrap_or_default();
    let tls = peer.shared.tls.current();
    if tls.is_some_and(|tls| !Rc::ptr_eq(&tls, began_with) && !tls.admits(chain)) {
        return Err("certificate_refused");
    }
    peer.shared.tls.add(peer, chain);
    Ok(())
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Tls(secured) => secured.poll_read(cx, buffer),
        }
    }
}

impl Secured {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.meter.earn(buffer.filled().len() - before);
        if self.meter.is_spent() {
            self.traffic.is_hostile.set(true);
        }
        read
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_shutdown(cx),
        }
    }
}
