//! A bounded queue between callers and a few threads of their own. Callers never wait: a full queue says so.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The queue.
pub(crate) struct WorkQueue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: usize,
}

struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

/// What waiting for work led to.
pub(crate) enum Next<T> {
    /// Something to do.
    Work(T),
    /// Nothing came within the time given.
    Idle,
    /// The queue is closed and empty: the thread may end.
    Closed,
}

impl<T> WorkQueue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { state: Mutex::new(State { items: VecDeque::new(), closed: false }), changed: Condvar::new(), capacity }
    }

    /// Adds an item, or gives it back when the queue is full or closed.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed || state.items.len() >= self.capacity {
            return Err(item);
        }
        state.items.push_back(item);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits at most `patience` for an item. What was added before the queue was closed is still handed out.
    pub(crate) fn next(&self, patience: Duration) -> Next<T> {
        let empty = |state: &mut State<T>| state.items.is_empty() && !state.closed;
        let (mut state, _) = self.changed.wait_timeout_while(self.lock(), patience, empty).unwrap_or_else(PoisonError::into_inner);
        match state.items.pop_front() {
            Some(item) => Next::Work(item),
            None if state.closed => Next::Closed,
            None => Next::Idle,
        }
    }

    /// Takes what is there, up to `most` items, without waiting.
    pub(crate) fn drain(&self, most: usize) -> Vec<T> {
        let mut state = self.lock();
        let count = state.items.len().min(most);
        state.items.drain(..count).collect()
    }

    /// How many items wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Lets the threads end once the queue is empty.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for the queue to be closed, at most `patience`; whether it is.
    pub(crate) fn closed_within(&self, patience: Duration) -> bool {
        let open = |state: &mut State<T>| !state.closed;
        let (state, _) = self.changed.wait_timeout_while(self.lock(), patience, open).unwrap_or_else(PoisonError::into_inner);
        state.closed
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let queue = WorkQueue::new(2);
        assert!(queue.push(1).is_ok() && queue.push(2).is_ok());
        assert_eq!(queue.push(3), Err(3));
    }

    #[test]
    fn a_closed_queue_hands_out_what_it_had_and_then_ends() {
        let queue = WorkQueue::new(2);
        queue.push(1).unwrap();
        queue.close();
        assert_eq!(queue.push(2), Err(2));
        assert!(matches!(queue.next(Duration::ZERO), Next::Work(1)));
        assert!(matches!(queue.next(Duration::ZERO), Next::Closed));
    }

    #[test]
    fn waiting_without_work_ends_after_the_time_given() {
        let queue = WorkQueue::<i32>::new(1);
        assert!(matches!(queue.next(Duration::from_millis(1)), Next::Idle));
        assert!(queue.drain(9).is_empty());
    }
}
