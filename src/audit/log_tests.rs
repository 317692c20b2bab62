use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::audit::Verifier;

fn options(dir: &Path) -> LogOptions {
    LogOptions {
        dir: dir.to_owned(),
        node: "n1".into(),
        durability: Durability::Os,
        file_bytes_max: NonZeroU64::new(1500).unwrap(),
    }
}

fn stop(reason: &str) -> Event<'_> {
    Event::Stop { reason }
}

fn append(log: &Log, reason: &str) -> Result<Recorded, AuditError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(log.append(&stop(reason)))
}

fn put(log: &Log, reason: &str) {
    let _ = append(log, reason).unwrap();
}

/// Another file in place of the one that is written.
fn swap(log: &Log, file: Arc<File>) -> Arc<File> {
    let mut state = log.0.shared.lock();
    std::mem::replace(&mut state.files.as_mut().unwrap().current_mut().unwrap().file, file)
}

fn lines(dir: &Path) -> Vec<Vec<u8>> {
    let files = tail::files(dir).unwrap();
    files
        .iter()
        .flat_map(|file| {
            fs::read(file).unwrap().split(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>()
        })
        .filter(|line| !line.is_empty())
        .collect()
}

fn check_whole(dir: &Path, count: usize) {
    let lines = lines(dir);
    assert_eq!(lines.len(), count);
    let mut verifier = Verifier::whole();
    for line in &lines {
        verifier.feed(line).unwrap();
    }
}

#[test]
fn the_chain_goes_on_over_files_restarts_and_threads() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let (log, _) = Log::open(options(dir.path())).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..25).for_each(|n| put(&log, &n.to_string())));
            }
        });
    }
    assert!(tail::files(dir.path()).unwrap().len() > 2);
    check_whole(dir.path(), 200);
}

#[test]
fn a_torn_last_line_is_cut_off_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(options(dir.path())).unwrap();
    put(&log, "a");
    drop(log);
    let file = tail::files(dir.path()).unwrap().remove(0);
    OpenOptions::new().append(true).open(file).unwrap().write_all(b"{\"seq\"").unwrap();
    let (log, opened) = Log::open(options(dir.path())).unwrap();
    assert_eq!(opened, Opened { torn_bytes: 6, last_seq: 1 });
    put(&log, "b");
    check_whole(dir.path(), 2);
}

#[test]
fn a_second_writer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Log::open(options(dir.path())).unwrap();
    assert!(matches!(Log::open(options(dir.path())), Err(AuditError::InUse(_))));
}

#[test]
fn a_full_disk_refuses_and_the_log_recovers_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(options(dir.path())).unwrap();
    put(&log, "a");
    let full = Arc::new(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let real = swap(&log, full);
    assert!(append(&log, "b").is_err());
    assert!(!log.healthy());
    drop(swap(&log, real));
    put(&log, "c");
    assert!(log.healthy());
    check_whole(dir.path(), 2);
}

#[test]
fn tampering_is_found_at_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(options(dir.path())).unwrap();
    (0..5).for_each(|n| put(&log, &n.to_string()));
    let good = lines(dir.path());
    let first_break = |lines: &[Vec<u8>]| {
        let mut verifier = Verifier::whole();
        lines.iter().enumerate().find_map(|(n, line)| verifier.feed(line).err().map(|found| (n, found)))
    };
    let mut edited = good.clone();
    edited[2] = String::from_utf8(good[2].clone()).unwrap().replace("\"n1\"", "\"n2\"").into_bytes();
    assert_eq!(first_break(&edited), Some((2, Break::Hash)));
    let mut deleted = good.clone();
    deleted.remove(1);
    assert_eq!(first_break(&deleted), Some((1, Break::Seq { expected: 2, found: 3 })));
    let mut swapped = good.clone();
    swapped.swap(3, 4);
    assert_eq!(first_break(&swapped), Some((3, Break::Seq { expected: 4, found: 5 })));
    let mut cut = good.clone();
    cut[2].truncate(20);
    assert_eq!(first_break(&cut), Some((2, Break::NotJson)));
    assert_eq!(first_break(&good), None);
}

#[tokio::test]
async fn a_line_on_the_disk_is_acknowledged_and_a_failed_sync_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(LogOptions { durability: Durability::Disk, ..options(dir.path()) }).unwrap();
    let (a, b) = (stop("a"), stop("b"));
    let both = tokio::join!(log.append(&a), log.append(&b));
    assert_eq!((both.0.unwrap().seq(), both.1.unwrap().seq()), (1, 2));
    log.0.shared.lock().note_sync(2, false);
    assert!(log.0.shared.lock().is_durable(2).is_err());
    assert!(!log.healthy());
    let _ = log.append(&a).await.unwrap();
    assert!(log.healthy());
    check_whole(dir.path(), 3);
}

#[test]
fn verify_tells_a_line_being_written_from_a_break() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(options(dir.path())).unwrap();
    (0..8).for_each(|n| put(&log, &n.to_string()));
    let files = tail::files(dir.path()).unwrap();
    let tear = |file: &Path| OpenOptions::new().append(true).open(file).unwrap().write_all(b"{").unwrap();
    tear(files.last().unwrap());
    let found = crate::audit::read::verify(dir.path()).unwrap();
    assert_eq!((found.lines, found.being_written, found.first_break), (8, true, None));
    tear(&files[0]);
    let found = crate::audit::read::verify(dir.path()).unwrap();
    assert_eq!(found.first_break, Some((files[0].clone(), found.lines + 1, Break::NotJson)));
}

#[test]
fn a_line_that_may_wait_goes_before_the_next_that_must_or_soon_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(LogOptions { file_bytes_max: NonZeroU64::MAX, ..options(dir.path()) }).unwrap();
    log.append_soon(&stop("a")).unwrap();
    put(&log, "b");
    check_whole(dir.path(), 2);
    log.append_soon(&stop("c")).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while lines(dir.path()).len() < 3 {
        assert!(std::time::Instant::now() < deadline, "the held line is not written");
        std::thread::yield_now();
    }
    log.append_soon(&stop("d")).unwrap();
    drop(log);
    check_whole(dir.path(), 4);
}

#[test]
fn lines_that_could_not_be_written_leave_no_gap() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(options(dir.path())).unwrap();
    put(&log, "a");
    let full = Arc::new(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let real = swap(&log, full);
    let _ = log.append_soon(&stop("held"));
    assert!(append(&log, "refused").is_err());
    drop(swap(&log, real));
    put(&log, "b");
    drop(log);
    let all = lines(dir.path());
    assert!(!all.iter().any(|line| String::from_utf8_lossy(line).contains("refused")));
    assert!(String::from_utf8_lossy(all.last().unwrap()).contains("\"b\""));
    check_whole(dir.path(), all.len());
}

#[test]
fn threads_that_add_while_another_writes_are_told_when_their_lines_are_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { file_bytes_max: NonZeroU64::MAX, ..options(dir.path()) };
    let (log, _) = Log::open(options).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = &log;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    for n in 0..200 {
                        let recorded = log.append(&stop(&format!("{thread}.{n}"))).await.unwrap();
                        assert!(log.0.shared.lock().chain.written_seq() >= recorded.seq());
                        log.append_soon(&stop("soon")).unwrap();
                    }
                });
            });
        }
    });
    drop(log);
    check_whole(dir.path(), 8 * 400);
}

#[tokio::test]
async fn lines_that_are_added_at_once_are_written_at_once_and_told_alike() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { file_bytes_max: NonZeroU64::MAX, ..options(dir.path()) };
    let (log, _) = Log::open(options).unwrap();
    let together = || async {
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let log = log.clone();
            all.spawn(async move { log.append(&stop("a")).await });
        }
        all.join_all().await
    };
    // One of the first twenty waits for the others, and sees them.
    assert!(together().await.iter().all(Result::is_ok));
    assert!(together().await.iter().all(Result::is_ok));
    assert!(log.0.shared.lock().crowd > 2 * 64);
    let full = Arc::new(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let real = swap(&log, full);
    assert!(together().await.iter().all(Result::is_err));
    drop(swap(&log, real));
    assert!(together().await.iter().all(Result::is_ok));
    check_whole(dir.path(), 60);
    for _ in 0..60 {
        let _ = log.append(&stop("alone")).await.unwrap();
    }
    assert!(log.0.shared.lock().crowd < 2 * 64);
}
