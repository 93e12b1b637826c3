//! The kinds of work: codes and messages, with the calls and streams that wait for their answers.
//!
//! It knows what belongs together. It may not know what is done with it.

use std::rc::Rc;

use bytes::Bytes;

use crate::batch_calls::BatchCall;
use crate::budget::Charge;
use crate::open_call::OpenCall;
use crate::pace::Waiting;
use crate::queue::Place;
use crate::requests::Host;
use crate::streams::Stream;
use crate::wire_format::Part;

/// One code of a Verify call.
pub struct Single {
    pub call: OpenCall,
    pub message: Bytes,
    pub code: Part,
    pub host: Host,
    pub place: Option<Place>,
}

/// One code of a StreamVerify message: the ``number``-th of its stream.
pub struct Scan {
    pub stream: Rc<Stream>,
    pub number: u64,
    pub request_id: u64,
    pub message: Bytes,
    pub code: Part,
    pub host: Host,
    pub place: Option<Place>,
}

/// The codes of a BatchVerify call.
pub struct Batch {
    pub call: OpenCall,
    pub message: Bytes,
    pub codes: Vec<Part>,
    pub host: Host,
    #[expect(dead_code, reason = "it counts until it is dropped")]
    pub place: Option<Place>,
    pub waiting: Option<Waiting>,
}

/// A batch that Python has taken. Its codes are there until they are asked for.
pub struct TakenBatch {
    pub call: Rc<BatchCall>,
    unread: Option<Unread>,
}

impl Batch {
    /// Return the batch as Python has it. It gives its place back: Python counts the codes that it has taken.
    pub fn taken(self) -> TakenBatch {
        let unread = Unread { message: self.message, codes: self.codes, waiting: self.waiting };
        TakenBatch { call: BatchCall::new(self.call), unread: Some(unread) }
    }
}

impl TakenBatch {
    /// Take the codes, of which nothing is kept.
    pub fn read(&mut self) -> Option<Unread> {
        self.unread.take()
    }
}

impl Drop for TakenBatch {
    fn drop(&mut self) {
        drop(self.call.take()); // its watch has it too
    }
}

/// The codes of a batch in the bytes of its request.
pub struct Unread {
    pub message: Bytes,
    pub codes: Vec<Part>,
    #[expect(dead_code, reason = "it counts until it is dropped")]
    waiting: Option<Waiting>,
}

/// A StreamVerify message that is odd.
pub struct Message {
    pub stream: Rc<Stream>,
    pub number: u64,
    pub bytes: Bytes,
    /// The name of the stream's credential in Python; 0 where the front does not ask.
    pub credential: u64,
    pub place: Option<Place>,
    /// What it takes in memory: Python has it whole until it is answered.
    #[expect(dead_code, reason = "it counts until it is dropped")]
    pub charge: Charge,
}

/// What Python works on, under one ticket.
pub enum Work {
    Singles(Vec<Single>),
    Scans(Vec<Scan>),
    Batch(TakenBatch),
    Message(Message),
}

impl Work {
    /// The number of its codes, each of which has an answer. None where it has one answer.
    pub fn codes(&self) -> Option<usize> {
        match self {
            Self::Singles(singles) => Some(singles.len()),
            Self::Scans(scans) => Some(scans.len()),
            Self::Batch(_) | Self::Message(_) => None,
        }
    }
}
