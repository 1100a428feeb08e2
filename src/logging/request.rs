//! Which request a task works for, so that whatever is logged meanwhile can be traced to it. A task-local costs nothing
//! where nothing is logged; a span of the `tracing` crate would cost every request.

use std::cell::RefCell;
use std::future::Future;

tokio::task_local! {
    static REQUEST: RefCell<String>;
}

/// Runs a task in which requests may be [named](name), one after the other.
pub async fn scope<T>(task: impl Future<Output = T>) -> T {
    REQUEST.scope(RefCell::default(), task).await
}

/// Runs a part of the present request elsewhere, on another runtime.
pub fn carry<T>(part: impl Future<Output = T>) -> impl Future<Output = T> {
    REQUEST.scope(RefCell::new(current().unwrap_or_default()), part)
}

/// From here on this task works for the request with this id, or, where it is empty, for none.
pub fn name(id: &str) {
    // Outside of a scope, as in tests of pages alone, nothing is named.
    let _ = REQUEST.try_with(|request| {
        let mut request = request.borrow_mut();
        request.clear();
        request.push_str(id);
    });
}

/// The id of the request that this task works for.
pub(super) fn current() -> Option<String> {
    REQUEST.try_with(|request| request.borrow().clone()).ok().filter(|id| !id.is_empty())
}
