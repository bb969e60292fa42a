//! The master key: what it seals, and its rotation, which a crash may interrupt anywhere.

use super::*;
use crate::killed_child::KilledChild;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const TICKETS: &str = "tls/tickets.sealed";
const CONSOLE_TICKETS: &str = "console/tls/tickets.sealed";
const ACCOUNT: &str = "acme/account-0123456789abcdef.sealed";
const FILES: [&str; 3] = [ACCOUNT, CONSOLE_TICKETS, TICKETS];

/// Folder with a key and three sealed files, each of which contains its own name.
fn sealed_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for sub in ["tls", "acme", "console/tls"] {
        std::fs::create_dir_all(folder.path().join(sub)).unwrap();
    }
    let master = open(folder.path());
    for name in FILES {
        write(&master, name, name.as_bytes());
    }
    folder
}

fn open(folder: &Path) -> MasterKey {
    try_open(folder).unwrap()
}

fn try_open(folder: &Path) -> Result<MasterKey, TlsError> {
    MasterKey::open(folder, StateFolder::of_files(folder))
}

fn open_given(file: &Path, folder: &Path) -> MasterKey {
    MasterKey::open_given(file, StateFolder::of_files(folder)).unwrap()
}

fn write(master: &MasterKey, name: &str, plain: &[u8]) {
    let values = &master.inner.values;
    master.write(values, name, plain, PutIf::Always).unwrap();
}

fn read_former(master: &MasterKey, name: &str, purpose: &str) -> Option<Vec<u8>> {
    let read = master.read(&master.inner.values, name, purpose).unwrap();
    read.plain.map(|plain| plain.to_vec())
}

fn read(master: &MasterKey, name: &str) -> Option<Vec<u8>> {
    read_former(master, name, "")
}

/// Checks that a start with what is in the folder opens everything, and leaves one key.
fn check_all_open(folder: &Path, when: &str) {
    let master = open(folder);
    for name in FILES {
        assert_eq!(
            read(&master, name).as_deref(),
            Some(name.as_bytes()),
            "{name} {when}"
        );
        let sealed = std::fs::read(folder.join(name)).unwrap();
        assert_eq!(sealed_by(&sealed), SealedBy::Key(master.id()), "{when}");
    }
    let key = std::fs::read(folder.join("master.key")).unwrap();
    assert_eq!(key.len(), KEY_LENGTH, "the former key is gone {when}");
    assert!(!folder.join("master.new").exists(), "{when}");
}

#[test]
fn what_is_sealed_opens_at_its_own_place_with_its_own_key_only() {
    let folder = sealed_folder();
    let folder = folder.path();
    let sealed = std::fs::read(folder.join(TICKETS)).unwrap();
    assert!(!sealed.windows(7).any(|part| part == b"tickets"));
    let master = open(folder);
    assert_eq!(sealed_by(&sealed), SealedBy::Key(master.id()));
    assert_eq!(read(&master, TICKETS).unwrap(), TICKETS.as_bytes());
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        std::fs::write(folder.join(TICKETS), &changed).unwrap();
        assert_eq!(read(&master, TICKETS), None, "byte {at}");
        std::fs::write(folder.join(TICKETS), &sealed[..at]).unwrap();
        assert_eq!(read(&master, TICKETS), None, "cut at {at}");
    }
    std::fs::write(folder.join(CONSOLE_TICKETS), &sealed).unwrap();
    assert_eq!(
        read(&master, CONSOLE_TICKETS),
        None,
        "moved to another place"
    );
    std::fs::remove_file(folder.join("master.key")).unwrap();
    std::fs::write(folder.join(TICKETS), &sealed).unwrap();
    let other = open(folder);
    assert_eq!(read(&other, TICKETS), None, "another key");
    let foreign = other.foreign_values().unwrap();
    let names: Vec<_> = foreign.iter().map(|value| value.name.as_str()).collect();
    assert_eq!(names, FILES);
    assert!(foreign.iter().all(|value| value.key == master.id()));
}

#[test]
fn derived_keys_differ_by_use_and_stay_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let master = open(folder.path());
    let decoys = master.derive(SubKey::UnknownPrefixes).unwrap();
    let again = open(folder.path());
    assert_eq!(decoys, again.derive(SubKey::UnknownPrefixes).unwrap());
    assert_ne!(decoys, again.derive(SubKey::FailedLogins).unwrap());
    let key = folder.path().join("master.key");
    assert_ne!(decoys.as_slice(), std::fs::read(&key).unwrap());
    let mode = std::fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Key and derived key of a folder that an earlier version made.
    std::fs::write(&key, [7; KEY_LENGTH]).unwrap();
    let known = open(folder.path());
    let derived = known.derive(SubKey::UnknownPrefixes).unwrap();
    assert_eq!(derived.as_slice(), EARLIER_DECOYS);
}

/// Key for unknown prefixes that version 0.1 derived from 32 bytes of 7: HKDF-SHA-256 with the salt
/// `tidegate derived key` and the info `behaviour of unknown prefixes`, computed with Python's
/// `hmac`.
const EARLIER_DECOYS: [u8; 32] = [
    0xe1, 0xf7, 0x48, 0xc0, 0x58, 0x7a, 0x3f, 0x61, 0x56, 0xd5, 0xa1, 0xcd, 0x96, 0x75, 0x77, 0x0d,
    0x34, 0xeb, 0x53, 0xa1, 0x76, 0x03, 0xf6, 0x57, 0x5f, 0xfb, 0x51, 0x82, 0x39, 0x83, 0xce, 0x09,
];

/// Opens a sealed record.
fn opened(master: &MasterKey, use_of: SubKey, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let plain = master.open_record(use_of, place, sealed)?;
    Some(plain.to_vec())
}

#[test]
fn a_sealed_record_opens_at_its_own_place_until_its_key_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let master = open(folder.path());
    let sealed = master
        .seal_record(SubKey::Answers, "answers/1", b"a password")
        .unwrap();
    assert!(!sealed.windows(8).any(|part| part == b"password"));
    let plain = Some(b"a password".to_vec());
    let again = open(folder.path());
    assert_eq!(opened(&again, SubKey::Answers, "answers/1", &sealed), plain);
    for (use_of, place) in [
        (SubKey::Answers, "answers/2"),
        (SubKey::FailedLogins, "answers/1"),
    ] {
        assert_eq!(opened(&again, use_of, place, &sealed), None, "{place}");
    }
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        let found = opened(&master, SubKey::Answers, "answers/1", &changed);
        assert_eq!(found, None, "byte {at}");
    }
    master.begin_rotation().unwrap();
    assert_eq!(
        opened(&master, SubKey::Answers, "answers/1", &sealed),
        plain
    );
    master.rotate().unwrap();
    assert_eq!(opened(&master, SubKey::Answers, "answers/1", &sealed), None);
}

#[test]
fn a_file_that_is_no_key_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("master.key");
    for length in [0, 1, KEY_LENGTH - 1, KEY_LENGTH + 1, 2 * KEY_LENGTH + 1, 96] {
        let content = vec![1; length];
        std::fs::write(&key, &content).unwrap();
        assert!(try_open(folder.path()).is_err(), "{length}");
        assert_eq!(std::fs::read(&key).unwrap(), content);
    }
}

#[test]
fn files_of_the_format_without_key_ids_still_open_and_get_todays_form() {
    let folder = sealed_folder();
    let folder = folder.path();
    let master = open(folder);
    let ring = master.inner.ring.load_full();
    let directory = "https://ca.test/directory";
    let account = folder.join(ACCOUNT);
    std::fs::write(&account, ring.seal_unnamed(directory, b"an account")).unwrap();
    let sealed = ring.seal_unnamed(FORMER_TICKETS_PURPOSE, TICKETS.as_bytes());
    std::fs::write(folder.join(TICKETS), sealed).unwrap();
    let error = master.rotate().unwrap_err();
    assert!(matches!(error, TlsError::FormerAccount(name) if name == ACCOUNT));
    assert!(!master.is_rotating(), "nothing was changed");
    assert_eq!(read_former(&master, ACCOUNT, "https://other.test"), None);
    let plain = read_former(&master, ACCOUNT, directory);
    assert_eq!(plain.unwrap(), b"an account");
    let rotated = master.rotate().unwrap();
    assert_eq!((rotated.resealed, rotated.unreadable), (3, vec![]));
    let plain = read_former(&master, ACCOUNT, directory);
    assert_eq!(plain.unwrap(), b"an account");
    assert_eq!(read(&master, TICKETS).unwrap(), TICKETS.as_bytes());
}

#[test]
fn a_rotation_seals_everything_again_and_forgets_the_former_key() {
    let folder = sealed_folder();
    let folder = folder.path();
    let rubbish = "acme/account-rubbish.sealed".to_owned();
    std::fs::write(
        folder.join(&rubbish),
        [b"TGS1".as_slice(), &[9; 60]].concat(),
    )
    .unwrap();
    let former = std::fs::read(folder.join("master.key")).unwrap();
    let master = open(folder);
    let clone = master.clone();
    let mut ids = clone.watch_id();
    let id = clone.id();
    let decoys = master.derive(SubKey::UnknownPrefixes);
    let rotated = master.rotate().unwrap();
    assert_eq!((rotated.resealed, rotated.unreadable), (3, vec![rubbish]));
    assert!(ids.has_changed().unwrap());
    assert_eq!(*ids.borrow_and_update(), rotated.key);
    assert_ne!(id, rotated.key);
    assert_ne!(decoys, clone.derive(SubKey::UnknownPrefixes));
    assert_eq!(read(&clone, ACCOUNT).unwrap(), ACCOUNT.as_bytes());
    check_all_open(folder, "after a rotation");
    let kept = std::fs::read(folder.join("master.key")).unwrap();
    assert_ne!(kept, former);
}

#[test]
fn a_crash_between_any_two_steps_of_a_rotation_loses_nothing() {
    // Key file, three sealed files, key file.
    for steps in 0..=5 {
        let folder = sealed_folder();
        let master = open(folder.path());
        if steps > 0 {
            master.begin_rotation().unwrap();
        }
        let ring = master.inner.ring.load_full();
        for name in master.sealed_names().unwrap().iter().take(steps.max(1) - 1) {
            master.reseal(&ring, name).unwrap();
        }
        if steps == 5 {
            master.forget_former(&ring).unwrap();
        }
        let both = std::fs::read(folder.path().join("master.key")).unwrap();
        let expected = if (1..5).contains(&steps) { 2 } else { 1 };
        assert_eq!(both.len(), expected * KEY_LENGTH, "after {steps} steps");
        let before = (steps > 0).then(|| master.id());
        drop(master);
        check_all_open(folder.path(), &format!("after {steps} steps"));
        let reopened = open(folder.path());
        assert!(before.is_none_or(|id| id == reopened.id()));
    }
}

#[test]
fn a_rotation_that_the_disk_stops_keeps_both_keys_and_can_be_repeated() {
    let folder = sealed_folder();
    let master = open(folder.path());
    // A folder in the place of the file that is written first.
    let in_the_way = folder.path().join("tls/tickets.new");
    std::fs::create_dir(&in_the_way).unwrap();
    master.rotate().unwrap_err();
    assert!(master.is_rotating());
    for name in FILES {
        let plain = read(&master, name);
        assert_eq!(plain.as_deref(), Some(name.as_bytes()));
    }
    let again = open(folder.path());
    assert!(again.is_rotating(), "a start on such a disk works too");
    let id = master.id();
    std::fs::remove_dir(&in_the_way).unwrap();
    let rotated = master.rotate().unwrap();
    assert_eq!(rotated.key, id, "completed, and not begun again");
    check_all_open(folder.path(), "after the second try");
}

#[test]
fn a_link_to_the_key_stays_a_link() {
    let folder = sealed_folder();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = folder.path().join("master.key");
    let target = elsewhere.path().join("key");
    std::fs::rename(&link, &target).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let former = std::fs::read(&target).unwrap();
    open(folder.path()).rotate().unwrap();
    assert_eq!(std::fs::read_link(&link).unwrap(), target);
    assert_ne!(std::fs::read(&target).unwrap(), former);
    check_all_open(folder.path(), "through a link");
}

#[test]
fn a_given_key_is_rotated_by_whoever_gives_it() {
    let folder = sealed_folder();
    let own = folder.path().join("master.key");
    let given = folder.path().join("given");
    let former = std::fs::read(&own).unwrap();
    std::fs::remove_file(&own).unwrap();
    std::fs::write(&given, &former).unwrap();
    let master = open_given(&given, folder.path());
    assert!(matches!(
        master.rotate().unwrap_err(),
        TlsError::MasterKeyGiven(path) if path == given
    ));
    // The next key in front of the current one; then the next one alone.
    let next = [3; KEY_LENGTH];
    let both = [next.as_slice(), &former].concat();
    for content in [both.as_slice(), &next] {
        std::fs::write(&given, content).unwrap();
        let master = open_given(&given, folder.path());
        for name in FILES {
            let plain = read(&master, name);
            assert_eq!(plain.as_deref(), Some(name.as_bytes()));
        }
        assert_eq!(std::fs::read(&given).unwrap(), content, "never written");
    }
    assert!(!own.exists());
}

/// Variable with the folder of the child process of the test below.
const CHILD_FOLDER: &str = "TIDEGATE_ROTATING_FOLDER";

#[test]
#[ignore = "child process of a_kill_9_at_any_moment_of_a_rotation_loses_nothing"]
fn rotate_until_killed() {
    let folder = PathBuf::from(std::env::var_os(CHILD_FOLDER).unwrap());
    loop {
        let master = open(&folder);
        master.rotate().unwrap();
        // Written whole by a concurrent login's account, say.
        write(&master, ACCOUNT, ACCOUNT.as_bytes());
        println!("rotated");
    }
}

#[test]
fn a_kill_9_at_any_moment_of_a_rotation_loses_nothing() {
    let folder = sealed_folder();
    let mut interrupted = 0;
    for round in 0..30_u32 {
        // A different moment of the next rotation in each round; which one does not matter.
        KilledChild {
            test: "master::tests::rotate_until_killed",
            folder: (CHILD_FOLDER, folder.path()),
            repeats: "rotated",
        }
        .run_past_one(Duration::from_micros(150) * round);
        let key = std::fs::read(folder.path().join("master.key")).unwrap();
        interrupted += u32::from(key.len() > KEY_LENGTH);
        check_all_open(folder.path(), &format!("after kill -9 in round {round}"));
    }
    println!("{interrupted} of 30 were interrupted between the keys");
}
