//! Verbs that do not exist here: what users of neonctl, pscale, ticloud and fly type, and typing
//! errors. A verb that deletes, ends or replaces something is never suggested for a typing error.

mod known_verbs;

use crate::args::Cli;
use crate::config::nearest::nearest_verb;
use crate::failure::Failure;
use crate::wrong_usage::line_of;
use clap::CommandFactory;
use known_verbs::KNOWN_VERBS;

/// Verbs that are never suggested, because a pasted suggestion could destroy something.
const DESTRUCTIVE: [&str; 9] = [
    "delete", "rm", "remove", "revoke", "kill", "password", "renew", "import", "drop",
];

/// Returns the failure for a verb that its group of commands does not have.
pub fn failure(group: &[String], verb: &str) -> Failure {
    let line = line_of(group);
    let hint = advice(group, verb).unwrap_or_else(|| format!("`{line} --help` lists the commands"));
    Failure::usage(format!("there is no command `{line} {verb}`"), hint)
}

fn advice(group: &[String], verb: &str) -> Option<String> {
    let lower = verb.to_lowercase().replace('_', "-");
    let name = group.join(" ");
    let known = KNOWN_VERBS
        .iter()
        .find(|known| known.group == name && known.contains(&lower));
    if let Some(known) = known {
        return Some(known.advice.to_owned());
    }
    let mut root = Cli::command();
    let mut command = &mut root;
    for name in group {
        command = command.find_subcommand_mut(name)?;
    }
    let verbs: Vec<&str> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    let line = line_of(group);
    if let Some(nearest) = nearest_verb(&lower, &verbs, &DESTRUCTIVE) {
        return Some(format!("did you mean `{line} {nearest}`?"));
    }
    // Its help page destroys nothing when it is pasted.
    let nearest = nearest_verb(&lower, &verbs, &[])?;
    Some(format!("`{line} {nearest} --help` describes {nearest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(line: &str) -> String {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let verb = words.pop().unwrap();
        failure(&words, &verb).hint
    }

    #[test]
    fn a_verb_of_another_program_gets_the_verb_of_this_one() {
        for (line, want) in [
            ("ls", "`tidegate cluster list`"),
            ("projects", "`tidegate cluster list`"),
            ("launch", "`tidegate up`"),
            ("connection-string", "`tidegate connect NAME`"),
            ("destroy", "`tidegate cluster --help`"),
            ("Auth", "`tidegate profile add`"),
            ("cluster describe", "`tidegate cluster show NAME`"),
            ("cluster restart", "`tidegate cluster wake NAME`"),
            ("cluster pause", "`tidegate cluster sleep NAME`"),
            ("cluster destroy", "`tidegate cluster delete --help`"),
            (
                "cluster reset_password",
                "`tidegate cluster password --help`",
            ),
            ("key delete", "`tidegate key revoke --help`"),
            ("cluster logs", "`tidegate logs NAME`"),
            ("cluster users", "`tidegate user list NAME`"),
            ("cluster db", "`tidegate database list NAME`"),
            ("restart", "no command restarts"),
            ("cluster restart", "no command restarts"),
            ("session kil", "`tidegate session kill --help`"),
            ("key revok", "`tidegate key revoke --help`"),
        ] {
            assert!(hint(line).contains(want), "{line}: {}", hint(line));
        }
    }

    #[test]
    fn a_typing_error_gets_the_nearest_verb() {
        for (line, want) in [
            ("clutser", "`tidegate cluster`"),
            ("stauts", "`tidegate status`"),
            ("conect", "`tidegate connect`"),
            ("cluster lsit", "`tidegate cluster list`"),
            ("cluster craete", "`tidegate cluster create`"),
            ("cluster shwo", "`tidegate cluster show`"),
        ] {
            assert_eq!(hint(line), format!("did you mean {want}?"), "{line}");
        }
    }

    /// All verbs with one letter left out, doubled, changed or exchanged with the next.
    fn misspelled(verb: &str) -> Vec<String> {
        let letters: Vec<char> = verb.chars().collect();
        let mut all = Vec::new();
        for at in 0..letters.len() {
            let mut left_out = letters.clone();
            left_out.remove(at);
            let mut doubled = letters.clone();
            doubled.insert(at, letters[at]);
            let mut changed = letters.clone();
            changed[at] = 'x';
            let mut exchanged = letters.clone();
            exchanged.swap(at, (at + 1).min(letters.len() - 1));
            all.extend([left_out, doubled, changed, exchanged].map(String::from_iter));
        }
        all
    }

    #[test]
    fn no_hint_for_a_wrong_verb_would_destroy_anything_when_pasted() {
        let root = Cli::command();
        let groups = std::iter::once(&root).chain(root.get_subcommands());
        for group in groups.filter(|group| group.has_subcommands()) {
            let name = group.get_name().replace("tidegate", "");
            let path: Vec<String> = Some(name).filter(|n| !n.is_empty()).into_iter().collect();
            let verbs = group.get_subcommands().map(clap::Command::get_name);
            for wrong in verbs.chain(DESTRUCTIVE).flat_map(misspelled) {
                let hint = failure(&path, &wrong).hint;
                for line in hint.split('`').skip(1).step_by(2) {
                    let destroys = line.split(' ').any(|word| DESTRUCTIVE.contains(&word));
                    assert!(
                        !destroys || line.ends_with("--help"),
                        "{path:?} {wrong}: {hint}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_command_in_the_advice_exists() {
        for known in KNOWN_VERBS {
            for line in known.advice.split('`').skip(1).step_by(2) {
                let Some(line) = line.strip_prefix("tidegate ") else {
                    continue;
                };
                let is_verb = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
                let mut command = &Cli::command();
                for word in line.split(' ').take_while(is_verb) {
                    command = command
                        .find_subcommand(word)
                        .unwrap_or_else(|| panic!("{line}: {word}"));
                }
            }
            let root = Cli::command();
            let command = match known.group {
                "" => &root,
                name => root.find_subcommand(name).unwrap(),
            };
            for verb in known.verbs.split_whitespace() {
                assert!(
                    command.find_subcommand(verb).is_none(),
                    "{} {verb} exists",
                    known.group
                );
            }
        }
    }
}
