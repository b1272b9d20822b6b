//! Who computes next: each tenant in its turn, however many statements it has waiting.
//!
//! Only work on the compute threads waits here, and only where there is more than one tenant. A tenant of which nothing
//! runs never waits, and neither does a statement inside a transaction block: it may hold locks that those who run wait
//! for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::types::TenantId;

/// The queue of all tenants.
#[derive(Debug)]
pub(in crate::session) struct FairQueue {
    slots_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    running: usize,
    tenants: BTreeMap<TenantId, Lane>,
    /// The tenant that was served last.
    last: Option<TenantId>,
}

#[derive(Debug, Default)]
struct Lane {
    running: usize,
    waiting: VecDeque<oneshot::Sender<FairSlot>>,
}

/// A place on the compute threads, free again when it is dropped.
#[derive(Debug)]
pub(in crate::session) struct FairSlot {
    queue: Arc<FairQueue>,
    tenant: TenantId,
}

impl FairQueue {
    /// At most `slots_max` statements compute at a time, and one more of each tenant that has none.
    pub(in crate::session) fn new(slots_max: usize) -> Arc<Self> {
        Arc::new(Self { slots_max: slots_max.max(1), inner: Mutex::default() })
    }

    /// A place for a statement of `tenant`, when it is its turn.
    pub(in crate::session) async fn slot(self: &Arc<Self>, tenant: TenantId) -> FairSlot {
        loop {
            let waiting = {
                let mut inner = self.inner.lock();
                let is_free = inner.running < self.slots_max;
                let lane = inner.tenants.entry(tenant).or_default();
                if lane.running == 0 || (is_free && lane.waiting.is_empty()) {
                    lane.running += 1;
                    inner.running += 1;
                    return FairSlot { queue: Arc::clone(self), tenant };
                }
                let (sender, receiver) = oneshot::channel();
                lane.waiting.push_back(sender);
                receiver
            };
            // A sender is dropped only with its slot given back, so that somebody else is served.
            if let Ok(slot) = waiting.await {
                return slot;
            }
        }
    }

    fn give_back(self: &Arc<Self>, tenant: TenantId) {
        let mut granted = Vec::new();
        {
            let mut inner = self.inner.lock();
            inner.running = inner.running.saturating_sub(1);
            if let Some(lane) = inner.tenants.get_mut(&tenant) {
                lane.running = lane.running.saturating_sub(1);
                lane.waiting.retain(|sender| !sender.is_closed());
                if lane.running == 0 && lane.waiting.is_empty() {
                    inner.tenants.remove(&tenant);
                }
            }
            while let Some((next, sender)) = inner.next(self.slots_max) {
                granted.push((next, sender));
            }
        }
        // Outside the lock: a slot that nobody takes comes back here.
        for (tenant, sender) in granted {
            let _ = sender.send(FairSlot { queue: Arc::clone(self), tenant });
        }
    }
}

impl Inner {
    /// The next that may run, counted as running.
    fn next(&mut self, slots_max: usize) -> Option<(TenantId, oneshot::Sender<FairSlot>)> {
        let is_free = self.running < slots_max;
        let may = |lane: &Lane| !lane.waiting.is_empty() && (is_free || lane.running == 0);
        let behind = self.last.map(|last| last.0 + 1).unwrap_or(0);
        let after = self.tenants.range(TenantId(behind)..);
        let around = self.tenants.range(..TenantId(behind));
        let tenant = after.chain(around).find(|(_, lane)| may(lane)).map(|(tenant, _)| *tenant)?;
        let lane = self.tenants.get_mut(&tenant)?;
        let sender = lane.waiting.pop_front()?;
        lane.running += 1;
        self.running += 1;
        self.last = Some(tenant);
        Some((tenant, sender))
    }
}

impl Drop for FairSlot {
    fn drop(&mut self) {
        self.queue.give_back(self.tenant);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::Poll;

    use futures::{FutureExt, poll};

    use super::*;

    type Waiting = Pin<Box<dyn Future<Output = FairSlot>>>;

    /// Waits for a slot that is not to be had now.
    async fn wait(queue: &Arc<FairQueue>, tenant: u32) -> Waiting {
        let queue = Arc::clone(queue);
        let mut waiting: Waiting = Box::pin(async move { queue.slot(TenantId(tenant)).await });
        assert!(poll!(&mut waiting).is_pending());
        waiting
    }

    async fn served(waiting: &mut Waiting) -> FairSlot {
        match poll!(waiting) {
            Poll::Ready(slot) => slot,
            Poll::Pending => panic!("it is not its turn"),
        }
    }

    #[tokio::test]
    async fn tenants_take_turns() {
        let queue = FairQueue::new(1);
        let slot = |tenant| queue.slot(TenantId(tenant)).now_or_never();
        let one = slot(1).unwrap();
        let mut of_one = [wait(&queue, 1).await, wait(&queue, 1).await, wait(&queue, 1).await];
        // Nothing of the second ran, so it does not wait, whoever does.
        let two = slot(2).unwrap();
        let mut of_two = [wait(&queue, 2).await, wait(&queue, 2).await];
        drop(one);
        let one = served(&mut of_one[0]).await;
        assert!(poll!(&mut of_one[1]).is_pending());
        drop(two);
        let two = served(&mut of_two[0]).await;
        drop((one, two));
        let _ones = served(&mut of_one[1]).await;
        let _twos = served(&mut of_two[1]).await;
        assert!(poll!(&mut of_one[2]).is_pending());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_holds_nothing() {
        let queue = FairQueue::new(1);
        let held = queue.slot(TenantId(1)).await;
        let gone = wait(&queue, 1).await;
        let mut next = wait(&queue, 1).await;
        drop(gone);
        drop(held);
        drop(served(&mut next).await);
        // Served and dropped before it was looked at.
        let held = queue.slot(TenantId(1)).await;
        let gone = wait(&queue, 1).await;
        drop(held);
        drop(gone);
        assert_eq!(queue.inner.lock().running, 0);
        assert!(queue.inner.lock().tenants.is_empty());
    }
}
