//! The listening sockets: accept connections within a bound.
//!
//! It knows sockets. It may not know HTTP, or what a connection is for.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use crate::connection::{self, Open};
use crate::shared::{Peer, Shared};
use crate::watched::Watched;

/// Connections that the kernel keeps until they are accepted: a restart of many callers at once.
const BACKLOG: i32 = 4096;
/// Connections that are accepted before the others have their turn.
const TURN: usize = 64;
/// How long no connection is accepted where there is no descriptor or memory for one. It stays readable meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// How often a port is chosen that must be free on each of several addresses: it is nearly always.
const TRIES: usize = 8;

/// Listen on all addresses of a host that this machine has, and return the port. The port 0 stands for one that the
/// system chooses, the same on all of them.
pub fn listen(hosts: &[IpAddr], port: u16, shares_port: bool) -> io::Result<(Vec<TcpListener>, u16)> {
    let tries = if port == 0 { TRIES } else { 1 };
    let mut fault = ErrorKind::AddrNotAvailable.into();
    for _ in 0..tries {
        match listen_on_all(hosts, port, shares_port) {
            Err(other) if other.kind() == ErrorKind::AddrInUse => fault = other,
            other => return other,
        }
    }
    Err(fault)
}

fn listen_on_all(hosts: &[IpAddr], mut port: u16, shares_port: bool) -> io::Result<(Vec<TcpListener>, u16)> {
    let (mut listeners, mut fault) = (Vec::new(), ErrorKind::AddrNotAvailable.into());
    for host in hosts {
        match listen_on(*host, port, shares_port) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(other) if is_of_family(&other) => fault = other,
            Err(other) => return Err(other),
        }
    }
    if listeners.is_empty() { Err(fault) } else { Ok((listeners, port)) }
}

/// Whether a failure says that this machine has no such address: where IPv6 is off, ``localhost`` has one of its two.
fn is_of_family(fault: &io::Error) -> bool {
    fault.kind() == ErrorKind::AddrNotAvailable || fault.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

fn listen_on(host: IpAddr, port: u16, shares_port: bool) -> io::Result<TcpListener> {
    let address = SocketAddr::new(host, port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shares_port)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Accept connections until the front drains. The socket is closed then.
pub async fn accept_all(mut listener: Watched<TcpListener>, shared: Rc<Shared>) {
    let mut taken = 0;
    loop {
        let accepted = poll_fn(|cx| {
            if taken == TURN {
                taken = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match listener.poll_read_with(cx, |listener| listener.accept()) {
                // Who is connected already is told of the drain: closing the socket would reset those connections.
                Poll::Pending if shared.is_draining.get() => Poll::Ready(None),
                accepted => accepted.map(Some),
            }
        });
        match accepted.await {
            None => return,
            Some(Ok((socket, address))) => begin(socket, address, &shared),
            Some(Err(fault)) if is_of_connection(&fault) => {}
            Some(Err(_)) => {
                shared.counts.refused("connections_full");
                shared.timers.sleep_until(Instant::now() + PAUSE).await;
            }
        }
        taken += 1;
    }
}

/// Serve a connection, or close it where there are too many.
fn begin(socket: TcpStream, address: SocketAddr, shared: &Rc<Shared>) {
    if shared.counts.connections.get() >= shared.limits.connections_max {
        return shared.counts.refused("connections_full");
    }
    let open = Open::new(shared); // before its task runs: many are accepted in one turn
    // It fails only for a connection that is closed by now, which is noticed when it is read.
    let _ = socket.set_nodelay(true);
    match shared.sockets.watch(socket, true) {
        Ok(watched) => shared.executor.spawn(connection::serve(watched, Peer::new(shared.clone(), address), open)),
        Err(_) => shared.counts.refused("connections_full"),
    }
}

/// Whether a failure is of the one connection that was to be accepted (accept(2)), and not of this process.
fn is_of_connection(fault: &io::Error) -> bool {
    use ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable,
    };
    matches!(
        fault.kind(),
        ConnectionAborted | ConnectionReset | Interrupted | HostUnreachable | NetworkDown | NetworkUnreachable
    )
}
