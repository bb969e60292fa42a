//! Tests of the cache of clusters.

use super::*;
use crate::test_rows::{settled_cluster, unclean_cluster};

fn look_up(cache: &mut EntryCache, id: u64) -> Arc<ClusterEntry> {
    cache.insert(ClusterEntry::new(settled_cluster(id)), EntryUse::LookUp)
}

fn has(cache: &EntryCache, id: u64) -> bool {
    cache.by_id.contains_key(&ClusterId(id))
}

fn check_maps(cache: &EntryCache) {
    let orders = cache.looked_up.iter().chain(&cache.worked_with);
    let ordered: std::collections::HashSet<_> = orders.copied().collect();
    assert_eq!(ordered.len(), cache.by_id.len());
    assert!(ordered.iter().all(|id| cache.by_id.contains_key(id)));
    assert_eq!(
        cache.looked_up.len() + cache.worked_with.len(),
        ordered.len()
    );
    assert_eq!(cache.by_name.len(), cache.by_id.len());
}

#[test]
fn strangers_drop_no_cluster_that_was_worked_with() {
    let mut cache = EntryCache::default();
    let worked_with = 1..=2_000;
    for id in worked_with.clone() {
        cache.insert(ClusterEntry::new(settled_cluster(id)), EntryUse::Work);
    }
    for id in 10_000..30_000 {
        look_up(&mut cache, id);
        assert!(cache.looked_up.len() <= ENTRIES_LOOKED_UP_MAX);
    }
    assert!(worked_with.clone().all(|id| has(&cache, id)));
    check_maps(&cache);
    // A cluster that wakes is worked with from then on.
    assert!(cache.get(ClusterId(29_999), EntryUse::Work).is_some());
    for id in 30_000..35_000 {
        look_up(&mut cache, id);
    }
    assert!(has(&cache, 29_999) && !has(&cache, 29_998));
    check_maps(&cache);
}

#[test]
fn all_together_stay_within_their_bound_and_one_that_is_not_used_goes() {
    let mut cache = EntryCache::default();
    for id in 0..3 * ENTRIES_MAX as u64 {
        cache.insert(ClusterEntry::new(settled_cluster(id)), EntryUse::Work);
        // Used again and again.
        assert!(cache.get(ClusterId(0), EntryUse::LookUp).is_some());
        assert!(cache.len() <= ENTRIES_MAX);
    }
    assert!(has(&cache, 0) && !has(&cache, 1));
    check_maps(&cache);
}

#[test]
fn a_cluster_in_use_is_never_dropped_and_exists_once() {
    let mut cache = EntryCache::default();
    let held = look_up(&mut cache, 1);
    let awake = look_up(&mut cache, 2);
    awake.accounts().awake = true;
    drop(awake);
    let recovering = unclean_cluster(3);
    cache.insert(ClusterEntry::new(recovering), EntryUse::LookUp);
    for id in 100..100 + 4 * ENTRIES_LOOKED_UP_MAX as u64 {
        look_up(&mut cache, id);
    }
    assert!([1, 2, 3].iter().all(|id| has(&cache, *id)));
    assert!(Arc::ptr_eq(&held, &look_up(&mut cache, 1)));
    // Entries in use take no place from the bound for long.
    drop(held);
    for id in 10_000..10_000 + 2 * ENTRIES_LOOKED_UP_MAX as u64 {
        look_up(&mut cache, id);
    }
    assert!(!has(&cache, 1) && has(&cache, 2));
    assert!(cache.looked_up.len() <= ENTRIES_LOOKED_UP_MAX);
    check_maps(&cache);
}

#[test]
fn a_name_finds_the_cluster_that_has_it_now() {
    let mut cache = EntryCache::default();
    let first = look_up(&mut cache, 1);
    let former = first.name();
    let new = ClusterName::parse("new").unwrap();
    cache.rename(&first, new.clone());
    assert!(cache.by_name(&former).is_none());
    // Another one gets the former name, and the first one goes.
    let second = look_up(&mut cache, 2);
    cache.rename(&second, former.clone());
    cache.remove(first.id);
    assert!(cache.by_name(&new).is_none());
    assert_eq!(cache.by_name(&former).unwrap().id, second.id);
    cache.remove(second.id);
    check_maps(&cache);
}
