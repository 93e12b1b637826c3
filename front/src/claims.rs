//! What ties a call to the credential that it was made with, and makes it wait until Python knows that.
//!
//! It knows calls and credentials. It may not know bodies or Python.

use std::rc::Rc;
use std::task::Context;
use std::time::Instant;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use crate::answers::Status;
use crate::asking::Place;
use crate::counts::Why;
use crate::credential::{Credential, Standing};
use crate::grant::Group;
use crate::key::Key;
use crate::requests::Host;
use crate::shared::{Peer, Shared};

/// A longer authorization is none that the front keeps.
const AUTHORIZATION_BYTES_MAX: usize = 8 * 1024;

/// How a call was made.
pub enum Shown {
    /// The front does not ask who calls.
    Nothing,
    Credential(Claim),
    /// In a way that Python is to judge.
    Odd,
    /// There is no room for another credential.
    NoRoom,
}

/// A call's credential, which is in use until this is dropped.
pub struct Claim {
    shared: Rc<Shared>,
    pub credential: Rc<Credential>,
    is_stream: bool,
    /// What it is counted by while it is in flight.
    in_flight: Option<Group>,
    /// Where its task waits for Python.
    place: Option<Place>,
}

/// How a call goes on.
pub enum Admission {
    Admitted,
    /// It is for another host than the granted one, and Python says what is wrong with that.
    PassOn,
    Refused(Why, Status),
}

/// Return how a call was made.
pub fn shown(peer: &Peer, headers: &HeaderMap, is_stream: bool) -> Shown {
    let shared = &peer.shared;
    if !shared.limits.identifies {
        return Shown::Nothing;
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let authorization = values.next();
    let is_odd = |size: usize| size == 0 || size > AUTHORIZATION_BYTES_MAX;
    if values.next().is_some() || authorization.is_some_and(|value| is_odd(value.len())) {
        return Shown::Odd;
    }
    let last = peer.credential.borrow().upgrade();
    let last = last.filter(|last| last.key.authorization.as_ref() == authorization);
    let Some(credential) = last.or_else(|| find(peer, authorization)) else { return Shown::NoRoom };
    Shown::Credential(Claim::new(shared, credential, is_stream))
}

fn find(peer: &Peer, authorization: Option<&HeaderValue>) -> Option<Rc<Credential>> {
    let key = Key { certificate: peer.certificate(), authorization: authorization.cloned(), is_local: peer.is_local };
    let found = peer.shared.credentials.find(&key)?;
    *peer.credential.borrow_mut() = Rc::downgrade(&found);
    Some(found)
}

impl Claim {
    fn new(shared: &Rc<Shared>, credential: Rc<Credential>, is_stream: bool) -> Self {
        shared.credentials.touch(&credential);
        credential.open.update(|count| count + 1);
        credential.streams.update(|count| count + usize::from(is_stream));
        Self { shared: shared.clone(), credential, is_stream, in_flight: None, place: None }
    }

    /// Return how the call is refused by what is known already. Where nothing is, Python is asked at once.
    pub fn denial(&self) -> Option<(Why, Status)> {
        let now = Instant::now();
        let denial = self.credential.denial_now(now);
        if denial.is_none() && self.credential.granted_until().is_none_or(|until| until <= now) {
            self.shared.credentials.ask(&self.credential);
        }
        denial
    }

    /// Whether Python must say who calls before anything is done for the call.
    pub fn is_unknown(&self) -> bool {
        !self.credential.is_known(Instant::now())
    }

    /// Whether the caller has neither shown a certificate that counts for TLS, nor been known before.
    pub fn is_stranger(&self) -> bool {
        self.credential.key.certificate.is_empty() && !self.credential.was_granted()
    }

    /// Admit a call with so many codes. None until Python has said whether to.
    pub fn admit(&mut self, host: Host, codes: usize) -> Option<Admission> {
        self.settle(self.credential.admit(host, codes, Instant::now()))
    }

    /// Admit a stream. None until Python has said whether to.
    pub fn admit_stream(&mut self) -> Option<Admission> {
        self.settle(self.credential.admit_stream(Instant::now()))
    }

    /// Ask Python who calls, unless it is being asked.
    pub fn ask(&self) {
        self.shared.credentials.ask(&self.credential);
    }

    /// Wake the task once Python has said something.
    pub fn wake_at_answer(&mut self, cx: &Context<'_>) {
        self.credential.asking.wait(cx.waker(), &mut self.place);
    }

    fn settle(&mut self, standing: Standing) -> Option<Admission> {
        match standing {
            Standing::Granted => {
                self.in_flight = self.credential.group();
                if let Some(group) = &self.in_flight {
                    group.in_flight.update(|count| count + 1);
                }
                Some(Admission::Admitted)
            }
            Standing::OtherHost => Some(Admission::PassOn),
            Standing::Crowded => Some(Admission::Refused("caller_crowded".into(), self.shared.replies.crowded.clone())),
            Standing::Denied(why, status) => Some(Admission::Refused(why, status)),
            Standing::Unknown => {
                self.shared.credentials.ask(&self.credential);
                None
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.credential.open.update(|count| count - 1);
        self.credential.streams.update(|count| count - usize::from(self.is_stream));
        if let Some(place) = &self.place {
            self.credential.asking.leave(place);
        }
        if let Some(group) = &self.in_flight {
            group.in_flight.update(|count| count - 1);
        }
    }
}
