//! Looking out for a client's next message for a moment, awake, before its thread sleeps.
//!
//! A client that runs one short statement after the other answers sooner than a sleeping thread is woken, which costs the
//! system and the client more than the statement. So a thread stays awake for a moment where that has been worth it lately,
//! if it has no other connection and nobody computes; and no more than half of the processors' worth of threads do so.

use std::time::{Duration, Instant};

use super::connection::{Connection, Flow};
use crate::server::threads::Lookout;

/// How long it is looked out.
const LOOKOUT: Duration = Duration::from_micros(60);
/// The longest pause is two to the power of this.
const DOUBLINGS_MAX: u32 = 10;

/// Whether it has been worth it to look out.
#[derive(Debug, Default)]
pub(super) struct Prospects {
    /// How much more often it was in vain than not.
    in_vain: u32,
    /// So many times it is not tried.
    pause: u32,
}

impl Prospects {
    fn are_good(&mut self) -> bool {
        let good = self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
        good
    }

    fn learn(&mut self, came: bool) {
        if came {
            self.in_vain = self.in_vain.saturating_sub(1);
        } else {
            self.pause = 1 << self.in_vain;
            self.in_vain = (self.in_vain + 1).min(DOUBLINGS_MAX);
        }
    }
}

/// Looks out for more bytes of the client; whether some came.
pub(super) async fn look_out(connection: &mut Connection<'_>) -> Flow<bool> {
    let worth_it = connection.resident.is_alone()
        && connection.prospects.are_good()
        && connection.session.nobody_computes();
    if !worth_it {
        return Ok(false);
    }
    let Some(_lookout) = Lookout::take() else { return Ok(false) };
    let begun = Instant::now();
    let looking = async {
        while begun.elapsed() < LOOKOUT {
            // Other threads that have something to do go first, and so do other tasks of this one.
            std::thread::yield_now();
            tokio::task::yield_now().await;
        }
    };
    let filled = tokio::select! {
        biased;
        filled = connection.wire.fill() => Some(filled),
        () = looking => None,
    };
    connection.prospects.learn(filled.is_some());
    filled.transpose().map(|filled| filled.is_some()).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_vain_is_tried_less_and_less() {
        let mut prospects = Prospects::default();
        let tries = |prospects: &mut Prospects, times: usize| {
            let mut tries = 0;
            for _ in 0..times {
                if prospects.are_good() {
                    prospects.learn(false);
                    tries += 1;
                }
            }
            tries
        };
        assert_eq!(tries(&mut prospects, 1000), 10);
        assert!(tries(&mut prospects, 100_000) < 110);
        while !prospects.are_good() {}
        prospects.learn(true);
        assert!(prospects.are_good());
    }
}
