//! Runs the tasks of one thread, when the thread says so.
//!
//! It knows tasks and wakers. It may not know sockets, timers or HTTP.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use slab::Slab;

/// Tasks that wake each other run again this many times before sockets are looked at: a call's way from the socket to
/// the queue takes two rounds, an answer's way back two as well.
const ROUNDS_MAX: usize = 8;

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// The numbers of the tasks that are to run. Wakers must be fit for any thread, hence the lock, which nobody contends.
type Ready = Arc<Mutex<Vec<usize>>>;

struct TaskWaker {
    number: usize,
    is_ready: AtomicBool,
    ready: Ready,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::Relaxed) {
            self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
        }
    }
}

struct Task {
    /// None while the task runs.
    work: Option<Work>,
    waker: Waker,
    state: Arc<TaskWaker>,
}

/// The tasks. A waker that outlives its task may wake the next task of the same number, which then finds nothing to do.
#[derive(Clone, Default)]
pub struct Executor {
    tasks: Rc<RefCell<Slab<Task>>>,
    ready: Ready,
    spare: Rc<Cell<Vec<usize>>>,
}

impl Executor {
    /// Let a task run in the next round.
    pub fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        let place = tasks.vacant_entry();
        let (number, ready) = (place.key(), self.ready.clone());
        let state = Arc::new(TaskWaker { number, is_ready: AtomicBool::new(false), ready });
        let waker = Waker::from(state.clone());
        state.wake_by_ref();
        place.insert(Task { work: Some(Box::pin(work)), waker, state });
    }

    /// Run what is ready, and what that makes ready, within a bound.
    pub fn run(&self) {
        for _ in 0..ROUNDS_MAX {
            let mut round = std::mem::replace(&mut *self.lock(), self.spare.take());
            if round.is_empty() {
                self.spare.set(round);
                return;
            }
            for number in round.drain(..) {
                self.poll(number);
            }
            self.spare.set(round);
        }
    }

    fn poll(&self, number: usize) {
        let Some((mut work, waker)) = self.begin(number) else { return };
        let is_done = work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        // A task may start others, so the list of tasks is not borrowed while one runs or is dropped.
        let mut tasks = self.tasks.borrow_mut();
        if is_done {
            let task = tasks.remove(number);
            drop(tasks);
            drop((task, work));
        } else {
            tasks[number].work = Some(work);
        }
    }

    fn begin(&self, number: usize) -> Option<(Work, Waker)> {
        let mut tasks = self.tasks.borrow_mut();
        let task = tasks.get_mut(number)?;
        task.state.is_ready.store(false, Ordering::Relaxed);
        Some((task.work.take()?, task.waker.clone()))
    }

    /// Whether a task waits to run.
    pub fn has_ready(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Let every task look at what has changed for all of them.
    pub fn wake_all(&self) {
        for (_, task) in &*self.tasks.borrow() {
            task.waker.wake_by_ref();
        }
    }

    /// Drop all tasks, and with them all that they hold.
    pub fn clear(&self) {
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        drop(tasks);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    #[test]
    fn a_task_runs_until_it_waits_and_goes_on_when_it_is_woken() {
        let executor = Executor::default();
        let steps = Rc::new(Cell::new(0));
        let kept = Rc::new(RefCell::new(None));
        let (in_task, waker) = (steps.clone(), kept.clone());
        executor.spawn(poll_fn(move |cx| {
            in_task.set(in_task.get() + 1);
            *waker.borrow_mut() = Some(cx.waker().clone());
            if in_task.get() == 2 { Poll::Ready(()) } else { Poll::Pending }
        }));
        executor.run();
        assert_eq!(steps.get(), 1);
        assert!(!executor.has_ready());
        kept.borrow().as_ref().unwrap().wake_by_ref();
        kept.borrow().as_ref().unwrap().wake_by_ref();
        executor.run();
        assert_eq!(steps.get(), 2);
        kept.borrow().as_ref().unwrap().wake_by_ref();
        executor.run();
        assert_eq!(steps.get(), 2, "the waker of a task that has ended wakes nothing");
    }

    #[test]
    fn a_task_that_wakes_itself_does_not_keep_the_thread() {
        let executor = Executor::default();
        let steps = Rc::new(Cell::new(0));
        let in_task = steps.clone();
        executor.spawn(poll_fn(move |cx| {
            in_task.set(in_task.get() + 1);
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        executor.run();
        assert_eq!(steps.get(), ROUNDS_MAX);
        assert!(executor.has_ready());
    }

    #[test]
    fn a_task_may_start_another() {
        let executor = Executor::default();
        let has_run = Rc::new(Cell::new(false));
        let (outer, inner) = (executor.clone(), has_run.clone());
        executor.spawn(async move { outer.spawn(async move { inner.set(true) }) });
        executor.run();
        assert!(has_run.get());
    }
}
