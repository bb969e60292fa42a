//! Suggestion for a misspelled word.

use tidegate_model::edit_distance;

/// Returns the known word with the fewest edits from this one, if it is near enough.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|k| (edit_distance(word, k), k))
        .filter(|(distance, k)| *distance <= k.len().max(word.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// Returns the verb that was probably meant: one that begins with the same letter and differs in at
/// most two places, a third of its length. Words that are as near to a verb of `never` get none.
pub fn nearest_verb<'a>(word: &str, known: &[&'a str], never: &[&str]) -> Option<&'a str> {
    let allowed = known.iter().filter(|verb| !never.contains(verb));
    let (distance, verb) = allowed
        .filter(|verb| verb.chars().next() == word.chars().next())
        .filter_map(|verb| Some((near(word, verb)?, *verb)))
        .min_by_key(|(distance, _)| *distance)?;
    let is_doubtful = never
        .iter()
        .filter_map(|verb| near(word, verb))
        .any(|d| d <= distance);
    (!is_doubtful).then_some(verb)
}

/// Returns the distance of a verb that differs in at most two places, a third of its length.
fn near(word: &str, verb: &str) -> Option<usize> {
    let most = verb.len().max(word.len()).div_ceil(3).min(2);
    Some(edit_distance(word, verb)).filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_offered_and_nonsense_gets_none() {
        let known = ["sleep_after", "connections_max"];
        for (word, want) in [
            ("sleep_afer", Some("sleep_after")),
            ("max_connections", None),
            ("zzz", None),
        ] {
            assert_eq!(nearest(word, known.into_iter()), want);
        }
    }
}
