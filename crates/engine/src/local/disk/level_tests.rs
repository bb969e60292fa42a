//! Tests of the level of a cluster's disk use.

use super::*;

const MB: u64 = 1 << 20;

fn at(megabytes: u64) -> DiskUse {
    DiskUse {
        bytes: megabytes * MB,
        entries: 9,
        largest: 0,
        complete: true,
    }
}

fn set(state: &mut DiskState, used: DiskUse) {
    state.set_used(used, None, Duration::from_millis(1), Instant::now());
}

#[test]
fn levels_follow_the_use_and_fall_back_late() {
    let mut state = DiskState::new(1000 * MB);
    let now = Instant::now();
    assert_eq!(
        (state.level(now), state.hard()),
        (DiskLevel::Free, 1256 * MB)
    );
    use DiskLevel::{Closed, Free, ReadOnly};
    for (used, level) in [
        (999, Free),
        (1001, ReadOnly),
        (999, ReadOnly),
        (979, Free),
        (1257, Closed),
        (1200, ReadOnly),
        (10, Free),
    ] {
        set(&mut state, at(used));
        assert_eq!(state.level(now), level, "{used}");
    }
    let uncounted = DiskUse {
        complete: false,
        ..at(1)
    };
    set(&mut state, uncounted);
    assert_eq!(
        state.level(now),
        Closed,
        "what can't be counted is over the limit"
    );
    assert_eq!(DiskState::new(10_000 * MB).hard(), 11_000 * MB);
}

#[test]
fn deleting_is_allowed_for_a_time_and_growing_is_not() {
    let mut state = DiskState::new(1000 * MB);
    let now = Instant::now();
    set(&mut state, at(2000));
    assert_eq!(state.level(now), DiskLevel::Closed);
    state.allow_shrink(now + Duration::from_secs(60));
    assert_eq!(state.level(now), DiskLevel::Free);
    set(&mut state, at(2255));
    assert_eq!(
        state.level(now),
        DiskLevel::Free,
        "what deleting takes itself"
    );
    set(&mut state, at(2257));
    assert_eq!(state.level(now), DiskLevel::Closed);
    set(&mut state, at(1100));
    assert_eq!(
        state.level(now + Duration::from_secs(61)),
        DiskLevel::ReadOnly,
        "the time is over"
    );
    state.set_limit(1200 * MB);
    assert_eq!(
        state.level(now),
        DiskLevel::Free,
        "a raised limit is valid at once"
    );
}

#[test]
fn files_have_limits_like_bytes() {
    let mut state = DiskState::new(1000 * MB);
    let now = Instant::now();
    let space = Space {
        total: 8 << 30,
        free: 4 << 30,
        files: 500_000,
        free_files: 400_000,
    };
    use DiskLevel::{Closed, Free, ReadOnly};
    for (entries, level) in [
        (50_000, Free),
        (50_001, ReadOnly),
        (49_500, ReadOnly),
        (48_999, Free),
        (55_001, Closed),
    ] {
        let used = DiskUse { entries, ..at(1) };
        state.set_used(used, Some(space), Duration::ZERO, now);
        assert_eq!(state.level(now), level, "{entries}");
    }
    assert!(state.entries_enough() > 55_001 - 1);
    state.allow_shrink(now + Duration::from_secs(60));
    assert_eq!(state.level(now), Free);
}

/// Space of a file system, in megabytes.
fn space_of(total: u64, free: u64) -> Space {
    Space {
        total: total * MB,
        free: free * MB,
        files: 0,
        free_files: 0,
    }
}

#[test]
fn a_fall_of_free_space_is_urgent_near_the_limit_only() {
    let mut state = DiskState::new(4000 * MB);
    let now = Instant::now();
    assert!(!state.is_urgent(&space_of(9000, 1), now), "never measured");
    let took = Duration::from_millis(10);
    state.set_used(at(1000), Some(space_of(9000, 8000)), took, now);
    let later = now + took * SPACE_MEASURE_SHARE;
    assert!(!state.is_urgent(&space_of(9000, 7250), later));
    assert!(state.is_urgent(&space_of(9000, 7249), later));
    assert!(
        !state.is_urgent(&space_of(9000, 7249), now),
        "measured a moment ago"
    );
    state.set_used(at(3000), Some(space_of(9000, 8000)), took, now);
    assert!(state.is_urgent(&space_of(9000, 7749), later));
}

#[test]
fn a_stopped_cluster_waits_for_ample_room_or_for_the_operator() {
    let mut state = DiskState::new(4000 * MB);
    state.set_stopped();
    assert!(state.stays_stopped(&space_of(8000, 319)));
    assert!(!state.stays_stopped(&space_of(8000, 320)));
    assert!(!state.stays_stopped(&space_of(8000, 1)));
    state.set_stopped();
    state.allow_shrink(Instant::now());
    assert!(!state.stays_stopped(&space_of(8000, 1)));
}

#[test]
fn one_file_may_be_as_large_as_the_limit_or_as_it_is() {
    let mut state = DiskState::new(1000 * MB);
    assert_eq!(state.file_max(), state.quota());
    let sparse = DiskUse {
        largest: 5000 * MB,
        ..at(1)
    };
    set(&mut state, sparse);
    assert_eq!(state.file_max(), 5000 * MB);
}

#[test]
fn pauses_shorten_near_the_limit() {
    let mut state = DiskState::new(4096 * MB);
    assert_eq!(state.pause(), DISK_PAUSE_MAX);
    set(&mut state, at(4096 - 512));
    assert_eq!(state.pause(), Duration::from_secs(2));
    set(&mut state, at(5000));
    assert_eq!(state.pause(), DISK_PAUSE_MIN);
    state.set_used(at(5000), None, Duration::from_secs(1), Instant::now());
    assert_eq!(state.pause(), Duration::from_secs(50));
    let many = DiskUse {
        entries: DISK_ENTRIES_MAX - 20_000,
        ..at(1)
    };
    set(&mut state, many);
    assert_eq!(state.pause(), Duration::from_secs(1));
}
