//! What keeps the hooks in place.

use std::{
    mem,
    sync::{Mutex, PoisonError},
    thread,
};

/// Threads that detach at a time. The kernel waits at each link until no processor runs the program any more; such waits that overlap are
/// one.
const DETACHING: usize = 8;

/// A program that is attached to its hook; detached when it is dropped.
pub(super) type Link = Box<dyn Send>;

/// Keeps the programs attached: everything is detached and unloaded when it is dropped.
pub struct Attached {
    links: Vec<Link>,
}

impl Attached {
    pub(super) fn new(links: Vec<Link>) -> Self {
        Self { links }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let links = Mutex::new(mem::take(&mut self.links));
        thread::scope(|scope| {
            for _ in 1..DETACHING {
                // Without a thread of their own, this one detaches them.
                let _started = thread::Builder::new().spawn_scoped(scope, || detach_all(&links));
            }
            detach_all(&links);
        });
    }
}

fn detach_all(links: &Mutex<Vec<Link>>) {
    let next = || links.lock().unwrap_or_else(PoisonError::into_inner).pop();
    while let Some(link) = next() {
        drop(link);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn all_is_detached_when_the_drop_returns() {
        let detached = Arc::new(AtomicUsize::new(0));
        let links: Vec<Link> = (0..100)
            .map(|_| Box::new(Counted(detached.clone())) as Link)
            .collect();
        drop(Attached::new(links));
        assert_eq!(detached.load(Ordering::Relaxed), 100);
    }
}
