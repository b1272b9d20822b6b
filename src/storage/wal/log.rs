//! The writer of the log, its thread, and the queue before it.
//!
//! ```text
//! commits ──► queue ──► whoever has the writer: its thread, or a committer that nobody else waits for
//! ```
//!
//! All that is queued is written and synced together, in the order of the queue.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::frame::{FrameKind, Place, put_frame};
use super::record::CommitRecord;
use super::segment::{Segment, segment_name};
use crate::storage::error::StorageError;
use crate::storage::fs::FileSystem;
use crate::types::CommitNo;

/// Frames are gathered up to this before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// The log says how far it was synced when nothing came for so long after that. What comes says it too.
const NOTE_DELAY: Duration = Duration::from_millis(5);

/// How the log is kept.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// A segment that reached this many bytes is ended, and so many are allocated for the next.
    pub segment_bytes: u64,
    /// After so long at most, commits that nobody waited for are synced.
    pub sync_delay: Duration,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, sync_delay: Duration::from_millis(200) }
    }
}

/// Called once it is known whether a commit is durable.
pub type OnDone = Box<dyn FnOnce(Result<(), StorageError>) + Send>;

/// A commit on its way to the log.
pub struct Entry {
    /// What it holds.
    pub record: CommitRecord,
    /// Whether it counts as done only when it is durable (`synchronous_commit`).
    pub sync: bool,
    /// Whether other threads that are ready to run go first, so that what they commit shares the sync.
    pub others_first: bool,
    /// Makes it visible; called in the order of commits, by whoever writes the log.
    pub publish: Option<Box<dyn FnOnce() + Send>>,
    /// Tells who waits. Called after `publish`, or instead of it if the commit was not done.
    pub done: Option<OnDone>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("sync", &self.sync).finish_non_exhaustive()
    }
}

/// Why a commit was not queued.
#[derive(Debug)]
pub enum AppendError {
    /// Commits before it failed, so it must be worked out again on what is visible, in this epoch.
    Stale {
        /// The epoch that counts now.
        epoch: u64,
    },
    /// The store takes no writes.
    Refused(StorageError),
}

/// What the log has done since it was opened.
#[derive(Debug, Default)]
pub struct LogStats {
    /// Commits written.
    pub commits: AtomicU64,
    /// Syncs on behalf of commits.
    pub syncs: AtomicU64,
    /// Bytes written.
    pub bytes: AtomicU64,
}

/// The log of a store. Closing it, or dropping it, writes and syncs what is queued.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    writer: Arc<Mutex<Writer>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// What the last commit said of it.
    others_first: AtomicBool,
    stats: LogStats,
}

impl Shared {
    fn let_others_go_first(&self) {
        if self.others_first.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
    }
}

#[derive(Debug)]
struct Queue {
    work: VecDeque<Work>,
    /// Records of no transaction that could not be written yet.
    free: Vec<CommitRecord>,
    /// The next commit to be queued.
    next: CommitNo,
    /// Grows each time queued commits fail.
    epoch: u64,
    /// Why the log takes no more commits.
    refused: Option<String>,
    closing: bool,
    /// The thread looks again by itself when it is time to sync, or to say that it was done.
    watched: bool,
    /// Another left such things to it, and it may not have looked since.
    left: bool,
}

impl Queue {
    fn take_number(&mut self) -> CommitNo {
        let number = self.next;
        self.next = CommitNo(number.0 + 1);
        number
    }

    fn queue_free(&mut self) {
        for record in std::mem::take(&mut self.free) {
            let number = self.take_number();
            self.work.push_back(Work::Commit(number, Entry::free(record)));
        }
    }
}

impl Entry {
    /// A record that nobody waits for.
    fn free(record: CommitRecord) -> Self {
        Self { record, sync: false, others_first: false, publish: None, done: None }
    }
}

#[derive(Debug)]
enum Work {
    Commit(CommitNo, Entry),
    Rotate(mpsc::SyncSender<Result<Rotated, StorageError>>),
}

/// Who writes a commit that is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scribe {
    /// The log's thread.
    Thread,
    /// The caller, by [`Log::write_here`].
    Caller,
}

/// The log goes on in a new segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rotated {
    /// The new segment.
    pub(crate) segment: u64,
    /// The last commit before it; it and all before are durable and visible.
    pub(crate) after: CommitNo,
}

impl Log {
    /// Starts the log's thread on a segment that is empty, after commit `last`.
    pub(crate) fn start(
        fs: Arc<dyn FileSystem>,
        dir: PathBuf,
        segment: Segment,
        last: CommitNo,
        options: LogOptions,
    ) -> Result<Self, StorageError> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                work: VecDeque::new(),
                free: Vec::new(),
                next: CommitNo(last.0 + 1),
                epoch: 0,
                refused: None,
                closing: false,
                watched: false,
                left: false,
            }),
            wake: Condvar::new(),
            others_first: AtomicBool::new(false),
            stats: LogStats::default(),
        });
        let writer = Arc::new(Mutex::new(Writer {
            shared: Arc::clone(&shared),
            fs,
            dir,
            options,
            segment,
            last,
            synced: last,
            noted: last,
            synced_at: Instant::now(),
            unsynced_since: None,
        }));
        let (queue, own) = (Arc::clone(&shared), Arc::clone(&writer));
        let thread = std::thread::Builder::new()
            .name("graphwire-log".to_owned())
            .spawn(move || run(&queue, &own))
            .map_err(|source| StorageError::Io {
                operation: "start the thread of",
                path: "log".to_owned(),
                source,
            })?;
        Ok(Self { shared, writer, thread: Mutex::new(Some(thread)) })
    }

    /// Queues a commit and gives its number; `make` is called with it.
    ///
    /// `epoch` is the one in which the caller worked out the commit. The caller holds the lock that orders its
    /// database's commits; if it is the one to write it, it does so when it has let go of that.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub fn append(
        &self,
        epoch: u64,
        scribe: Scribe,
        make: impl FnOnce(CommitNo) -> Entry,
    ) -> Result<CommitNo, AppendError> {
        let mut queue = self.shared.queue.lock();
        if let Some(reason) = &queue.refused {
            return Err(AppendError::Refused(StorageError::Refused { reason: reason.clone() }));
        }
        if queue.closing {
            let reason = "the server is shutting down".to_owned();
            return Err(AppendError::Refused(StorageError::Refused { reason }));
        }
        if queue.epoch != epoch {
            return Err(AppendError::Stale { epoch: queue.epoch });
        }
        queue.queue_free();
        let number = queue.take_number();
        let entry = make(number);
        self.shared.others_first.store(entry.others_first, Ordering::Relaxed);
        queue.work.push_back(Work::Commit(number, entry));
        drop(queue);
        if scribe == Scribe::Thread {
            self.shared.wake.notify_one();
        }
        Ok(number)
    }

    /// Writes and syncs what is queued on this thread, which waits for the disk; unless the log is being written already:
    /// whoever does that sees to what was queued meanwhile.
    pub fn write_here(&self) {
        let Some(mut writer) = self.writer.try_lock() else { return };
        let _failed = Ended { shared: &self.shared, by_panic: true };
        self.shared.let_others_go_first();
        writer.work_once();
        let waits = writer.due().is_some();
        drop(writer);
        // The thread does what is not done at once, and what came meanwhile: this one has its own commit to answer.
        let mut queue = self.shared.queue.lock();
        if waits && !queue.watched {
            queue.left = true;
        }
        if queue.left || !queue.work.is_empty() {
            drop(queue);
            self.shared.wake.notify_one();
        }
    }

    /// Queues a record that belongs to no transaction and depends on none before it: it is never taken back, and is
    /// durable before any commit that is queued after it is acknowledged.
    ///
    /// If it cannot be written, it is tried again with the next commit. A log that is closed or has failed drops it.
    pub fn append_free(&self, record: CommitRecord) {
        let mut queue = self.shared.queue.lock();
        if queue.refused.is_none() && !queue.closing {
            queue.free.push(record);
            queue.queue_free();
            drop(queue);
            self.shared.wake.notify_one();
        }
    }

    /// Counters since the log was opened.
    pub fn stats(&self) -> &LogStats {
        &self.shared.stats
    }

    /// Whether it takes no more commits because it was closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.shared.queue.lock().closing
    }

    /// Bytes of commits written since the log was opened.
    pub(crate) fn bytes_written(&self) -> u64 {
        self.shared.stats.bytes.load(Ordering::Relaxed)
    }

    /// Ends the segment, after all that is queued.
    pub(crate) fn rotate(&self) -> Result<Rotated, StorageError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let closed = || StorageError::Refused { reason: "the server is shutting down".to_owned() };
        let mut queue = self.shared.queue.lock();
        if queue.closing {
            return Err(closed());
        }
        queue.work.push_back(Work::Rotate(sender));
        drop(queue);
        self.shared.wake.notify_one();
        receiver.recv().map_err(|_| closed())?
    }

    /// Writes and syncs what is queued, and stops. Commits after this are refused.
    pub fn close(&self) {
        self.shared.queue.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.lock().take() {
            // A panic of the thread was reported by it.
            let _ = thread.join();
            let LogStats { commits, syncs, bytes } = &self.shared.stats;
            let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
            let (commits, syncs, bytes) = (read(commits), read(syncs), read(bytes));
            tracing::info!(commits, syncs, bytes, "log closed");
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

/// What whoever writes works with.
#[derive(Debug)]
struct Writer {
    shared: Arc<Shared>,
    fs: Arc<dyn FileSystem>,
    dir: PathBuf,
    options: LogOptions,
    segment: Segment,
    /// The last commit written.
    last: CommitNo,
    /// The last commit known to be durable.
    synced: CommitNo,
    /// The last commit that the log says is durable.
    noted: CommitNo,
    synced_at: Instant,
    unsynced_since: Option<Instant>,
}

/// What is at the front of the queue.
enum Turn {
    Commits(Vec<(CommitNo, Entry)>),
    Rotate(mpsc::SyncSender<Result<Rotated, StorageError>>),
}

/// Nothing is queued.
#[derive(Debug, PartialEq, Eq)]
enum Rest {
    /// Until more comes, or what was written must be synced.
    Until(Option<Instant>),
    Closing,
}

/// However writing ends, nobody waits for it afterwards.
struct Ended<'a> {
    shared: &'a Shared,
    /// Only a panic ends it.
    by_panic: bool,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if self.by_panic && !failed {
            return;
        }
        let mut queue = self.shared.queue.lock();
        queue.closing = true;
        if failed {
            queue.refused = Some("writing the log failed".to_owned());
        }
        queue.work.clear();
    }
}

/// The log's thread.
fn run(shared: &Shared, writer: &Mutex<Writer>) {
    let _ended = Ended { shared, by_panic: false };
    loop {
        shared.let_others_go_first();
        let rest = writer.lock().work();
        let mut queue = shared.queue.lock();
        if !queue.work.is_empty() || std::mem::take(&mut queue.left) {
            continue;
        }
        match rest {
            _ if queue.closing => {
                drop(queue);
                return writer.lock().look(None);
            }
            Rest::Until(Some(until)) => {
                queue.watched = true;
                let timed_out = shared.wake.wait_until(&mut queue, until).timed_out();
                queue.watched = false;
                drop(queue);
                if timed_out {
                    writer.lock().look(Some(Instant::now()));
                }
            }
            Rest::Until(None) | Rest::Closing => shared.wake.wait(&mut queue),
        }
    }
}

impl Writer {
    /// Does what is queued.
    fn work(&mut self) -> Rest {
        loop {
            if let Some(rest) = self.work_once() {
                return rest;
            }
        }
    }

    /// Does what is at the front of the queue.
    fn work_once(&mut self) -> Option<Rest> {
        match self.turn() {
            Ok(Turn::Commits(commits)) => self.commit(commits),
            Ok(Turn::Rotate(reply)) => {
                // Who asked may be gone; the segment is ended all the same.
                let _ = reply.send(self.rotate_on_request());
            }
            Err(rest) => return Some(rest),
        }
        None
    }

    fn turn(&self) -> Result<Turn, Rest> {
        let mut queue = self.shared.queue.lock();
        if let Some(Work::Rotate(_)) = queue.work.front()
            && let Some(Work::Rotate(reply)) = queue.work.pop_front()
        {
            return Ok(Turn::Rotate(reply));
        }
        let mut commits = Vec::new();
        while let Some(Work::Commit(..)) = queue.work.front() {
            if let Some(Work::Commit(number, entry)) = queue.work.pop_front() {
                commits.push((number, entry));
            }
        }
        match commits.is_empty() {
            false => Ok(Turn::Commits(commits)),
            true if queue.closing => Err(Rest::Closing),
            true => Err(Rest::Until(self.due())),
        }
    }

    /// Writes commits, syncs if one of them waits for it, and answers.
    fn commit(&mut self, commits: Vec<(CommitNo, Entry)>) {
        let (written, failed) = self.write_all(commits);
        let wants_sync = written.iter().any(|(_, entry)| entry.sync);
        if wants_sync && let Err(error) = self.sync() {
            return self.refuse(&error, written.into_iter().chain(failed.commits).collect());
        }
        if !wants_sync && !written.is_empty() {
            self.unsynced_since.get_or_insert_with(Instant::now);
        }
        self.shared.stats.commits.fetch_add(written.len() as u64, Ordering::Relaxed);
        let mut answers = Vec::with_capacity(written.len());
        for (_, entry) in written {
            if let Some(publish) = entry.publish {
                publish();
            }
            answers.extend(entry.done);
        }
        for done in answers {
            done(Ok(()));
        }
        match failed.error {
            None => {}
            Some(error) if failed.beyond_repair => self.refuse(&error, failed.commits),
            Some(error) => self.fail(&error, failed.commits),
        }
    }

    /// Writes as many of the commits as can be written.
    fn write_all(&mut self, commits: Vec<(CommitNo, Entry)>) -> (Vec<(CommitNo, Entry)>, Failed) {
        let Err(error) = self.write(&commits) else { return (commits, Failed::default()) };
        if matches!(error, WriteError::Stuck(_)) || commits.len() == 1 {
            return (Vec::new(), Failed::of(error, commits));
        }
        // One of them may be what there is no room for; those before it need not fail.
        let mut written = Vec::new();
        let mut rest = commits.into_iter();
        while let Some(commit) = rest.next() {
            let one = [commit];
            if let Err(error) = self.write(&one) {
                let [commit] = one;
                let failed = std::iter::once(commit).chain(rest).collect();
                return (written, Failed::of(error, failed));
            }
            written.extend(one);
        }
        (written, Failed::default())
    }

    /// Writes the commits, or nothing of them.
    fn write(&mut self, commits: &[(CommitNo, Entry)]) -> Result<(), WriteError> {
        if self.segment.end >= self.options.segment_bytes {
            self.rotate()?;
        }
        let (start, last) = (self.segment.end, self.last);
        if let Err(error) = self.write_frames(commits) {
            self.last = last;
            return Err(match self.segment.cut(start) {
                Ok(()) => WriteError::Undone(error),
                Err(error) => WriteError::Stuck(error),
            });
        }
        // Frames say how far the log was synced before them.
        self.noted = self.synced;
        let bytes = self.segment.end - start;
        self.shared.stats.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn write_frames(&mut self, commits: &[(CommitNo, Entry)]) -> Result<(), StorageError> {
        let mut frames = Vec::new();
        for (number, entry) in commits {
            let payloads = entry.record.payloads();
            for (at, payload) in payloads.iter().enumerate() {
                let is_last = at + 1 == payloads.len();
                let kind = if is_last { FrameKind::Commit } else { FrameKind::Part };
                let what = (kind, *number, self.synced);
                put_frame(&mut frames, self.segment.end, self.segment.place, what, payload);
                if frames.len() >= WRITE_BYTES {
                    self.segment.write(&frames)?;
                    frames.clear();
                }
            }
            self.last = *number;
        }
        if frames.is_empty() { Ok(()) } else { self.segment.write(&frames) }
    }

    /// Makes what was written durable.
    fn sync(&mut self) -> Result<(), StorageError> {
        self.segment.file.sync()?;
        self.shared.stats.syncs.fetch_add(1, Ordering::Relaxed);
        self.synced = self.last;
        self.synced_at = Instant::now();
        self.unsynced_since = None;
        Ok(())
    }

    /// Says in the log how far it was synced, if nothing that was written since does.
    fn note_synced(&mut self) {
        if self.noted < self.synced {
            self.noted = self.synced;
            let mut frame = Vec::new();
            let what = (FrameKind::Synced, self.last, self.synced);
            put_frame(&mut frame, self.segment.end, self.segment.place, what, &[]);
            // Only helps to tell damage from a torn write; if it cannot be written, the next frames go in its place.
            let _ = self.segment.write(&frame);
        }
    }

    /// When commits that nobody waited for are to be synced.
    fn sync_due(&self) -> Option<Instant> {
        self.unsynced_since.map(|since| since + self.options.sync_delay)
    }

    fn note_due(&self) -> Option<Instant> {
        (self.noted < self.synced).then(|| self.synced_at + NOTE_DELAY)
    }

    /// When there is something to do if nothing comes.
    fn due(&self) -> Option<Instant> {
        [self.sync_due(), self.note_due()].into_iter().flatten().min()
    }

    /// Does what is due at a time (`None`: the end).
    fn look(&mut self, now: Option<Instant>) {
        let is_due = |due: Instant| now.is_none_or(|now| due <= now);
        if self.sync_due().is_some_and(is_due)
            && let Err(error) = self.sync()
        {
            return self.refuse(&error, Vec::new());
        }
        if self.note_due().is_some_and(is_due) {
            self.note_synced();
        }
    }

    /// Goes on in a new segment.
    fn rotate(&mut self) -> Result<(), WriteError> {
        if self.unsynced_since.is_some() || self.synced < self.last {
            self.sync().map_err(WriteError::Stuck)?;
            self.note_synced();
        }
        let place = Place { segment: self.segment.place.segment + 1, ..self.segment.place };
        let bytes = self.options.segment_bytes;
        let next = Segment::create(self.fs.as_ref(), &self.dir, place, self.last, bytes)
            .map_err(WriteError::Undone)?;
        let end = self.segment.end;
        if let Err(error) = self.segment.finish(self.last) {
            // The log goes on in the old segment; if the new one cannot be removed, recovery knows it by its start.
            let _ = self.fs.remove(&self.dir.join(segment_name(place.segment)));
            return Err(match self.segment.cut(end) {
                Ok(()) => WriteError::Undone(error),
                Err(error) => WriteError::Stuck(error),
            });
        }
        self.segment.file.sync().map_err(WriteError::Stuck)?;
        self.segment = next;
        Ok(())
    }

    fn rotate_on_request(&mut self) -> Result<Rotated, StorageError> {
        if let Some(reason) = self.shared.queue.lock().refused.clone() {
            return Err(StorageError::Refused { reason });
        }
        match self.rotate() {
            Ok(()) => Ok(Rotated { segment: self.segment.place.segment, after: self.last }),
            Err(WriteError::Undone(error)) => Err(error),
            Err(WriteError::Stuck(error)) => {
                let again = error.again();
                self.refuse(&error, Vec::new());
                Err(again)
            }
        }
    }

    /// These commits, and all queued after them, were not done; the log is as it was before.
    fn fail(&self, error: &StorageError, commits: Vec<(CommitNo, Entry)>) {
        let mut queue = self.shared.queue.lock();
        queue.epoch += 1;
        queue.next = CommitNo(self.last.0 + 1);
        let queued = take_commits(&mut queue);
        let mut answers = Vec::new();
        for (_, entry) in commits.into_iter().chain(queued) {
            match entry.done {
                Some(done) => answers.push(done),
                None => queue.free.push(entry.record),
            }
        }
        drop(queue);
        for done in answers {
            done(Err(error.again()));
        }
    }

    /// What is on the disk is not known any more: no writes until the store is opened again.
    fn refuse(&self, error: &StorageError, commits: Vec<(CommitNo, Entry)>) {
        tracing::error!(%error, "the log failed: the store refuses writes until it is opened again");
        self.shared.queue.lock().refused = Some(error.to_string());
        let reason = StorageError::Refused { reason: error.to_string() };
        self.fail(&reason, commits);
    }
}

/// Commits that were not written, and why.
#[derive(Default)]
struct Failed {
    commits: Vec<(CommitNo, Entry)>,
    error: Option<StorageError>,
    beyond_repair: bool,
}

impl Failed {
    fn of(error: WriteError, commits: Vec<(CommitNo, Entry)>) -> Self {
        let beyond_repair = matches!(error, WriteError::Stuck(_));
        let (WriteError::Undone(error) | WriteError::Stuck(error)) = error;
        Self { commits, error: Some(error), beyond_repair }
    }
}

enum WriteError {
    /// The log is as it was before.
    Undone(StorageError),
    /// What is in the log is not known.
    Stuck(StorageError),
}

fn take_commits(queue: &mut Queue) -> Vec<(CommitNo, Entry)> {
    let mut commits = Vec::new();
    let mut rest = VecDeque::new();
    for work in queue.work.drain(..) {
        match work {
            Work::Commit(number, entry) => commits.push((number, entry)),
            other @ Work::Rotate(_) => rest.push_back(other),
        }
    }
    queue.work = rest;
    commits
}
