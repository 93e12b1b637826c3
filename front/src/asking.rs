//! Whether Python is being asked about a credential, and the tasks that wait for its answer.
//!
//! It knows times and who waits. It may not know what is asked or answered.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::Instant;

use slab::Slab;

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    Idle,
    /// It is in the line, since a time.
    InLine(Instant),
    /// Python has taken it from there.
    Taken(Instant),
}

#[derive(Default)]
pub struct Asking {
    state: Cell<State>,
    /// Whether an answer is under way that may be from before: it is asked for once more, whoever waits.
    is_twice: Cell<bool>,
    /// The tasks that wait, and how often Python has answered.
    waiting: RefCell<Slab<Waker>>,
    answers: Cell<u64>,
}

/// Where a task waits for an answer.
pub struct Place {
    answers: u64,
    number: usize,
}

impl Asking {
    /// Return since when Python is being asked.
    pub fn since(&self) -> Option<Instant> {
        match self.state.get() {
            State::Idle => None,
            State::InLine(since) | State::Taken(since) => Some(since),
        }
    }

    /// Note that it is put into the line. False where Python is being asked already.
    pub fn begin(&self, now: Instant) -> bool {
        let is_idle = self.state.get() == State::Idle;
        if is_idle {
            self.state.set(State::InLine(now));
        }
        is_idle
    }

    /// Note that an answer that is under way may be from before. Return whether it is put into the line for that.
    pub fn begin_again(&self, now: Instant) -> bool {
        let is_taken = matches!(self.state.get(), State::Taken(_));
        if is_taken {
            self.is_twice.set(true);
            self.state.set(State::InLine(now));
        }
        is_taken
    }

    /// Note that Python takes it from the line. False where it need not, since nobody wants the answer any more.
    pub fn take(&self, is_wanted: bool) -> bool {
        let is_wanted = self.is_twice.replace(false) || is_wanted;
        self.state.set(match self.state.get() {
            State::InLine(since) if is_wanted => State::Taken(since),
            _ => State::Idle,
        });
        is_wanted
    }

    /// Note that Python has answered. False where it is asked once more, since the answer may be from before.
    pub fn end(&self) -> bool {
        if let State::InLine(_) = self.state.get() {
            return false;
        }
        self.state.set(State::Idle);
        self.answers.update(|count| count + 1);
        self.waiting.take().into_iter().for_each(|(_, waker)| waker.wake());
        true
    }

    /// Wake a task once Python has answered. A task has one place, and waits once for each answer.
    pub fn wait(&self, waker: &Waker, place: &mut Option<Place>) {
        let answers = self.answers.get();
        if place.as_ref().is_none_or(|place| place.answers != answers) {
            *place = Some(Place { answers, number: self.waiting.borrow_mut().insert(waker.clone()) });
        }
    }

    /// Give a place back.
    pub fn leave(&self, place: &Place) {
        if place.answers == self.answers.get() {
            self.waiting.borrow_mut().try_remove(place.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_is_asked_once_until_it_answers() {
        let (asking, now) = (Asking::default(), Instant::now());
        assert!(asking.begin(now) && !asking.begin(now));
        assert!(asking.take(true) && !asking.begin(now));
        assert_eq!(asking.since(), Some(now));
        assert!(asking.end() && asking.since().is_none());
        assert!(asking.begin(now));
        assert!(!asking.take(false), "nobody wants the answer");
        assert!(asking.begin(now));
    }

    #[test]
    fn an_answer_from_before_does_not_count() {
        let (asking, now) = (Asking::default(), Instant::now());
        assert!(!asking.begin_again(now), "none is under way");
        assert!(asking.begin(now) && asking.take(true));
        assert!(asking.begin_again(now) && !asking.begin_again(now));
        assert!(!asking.end());
        assert!(asking.take(false), "whoever waits: the other answer would count otherwise");
        assert!(asking.end());
    }

    #[test]
    fn who_waits_has_one_place_and_gives_it_back() {
        let (asking, mut place, mut other) = (Asking::default(), None, None);
        for _ in 0..3 {
            asking.wait(Waker::noop(), &mut place);
        }
        asking.wait(Waker::noop(), &mut other);
        assert_eq!(asking.waiting.borrow().len(), 2);
        asking.leave(&place.take().unwrap());
        assert_eq!(asking.waiting.borrow().len(), 1);
        assert!(asking.end());
        asking.wait(Waker::noop(), &mut place);
        asking.leave(&other.unwrap());
        assert_eq!(asking.waiting.borrow().len(), 1, "the place was of an earlier answer");
    }
}
