//! Help texts as one page, `docs/commands.md`, made from the grammar and compared with it.

use crate::args::Cli;
use clap::{Command, CommandFactory};
use std::path::Path;

fn page() -> String {
    let mut out =
        String::from("# Commands\n\nThe help texts of `tidegate`, as `--help` prints them.\n");
    let mut root = Cli::command();
    root.build();
    write(&root, &mut out);
    out
}

fn write(command: &Command, out: &mut String) {
    let name = command
        .get_bin_name()
        .unwrap_or(command.get_name())
        .to_owned();
    let help = command
        .clone()
        .term_width(100)
        .render_long_help()
        .to_string();
    let help: String = help
        .lines()
        .map(|l| format!("{}\n", l.trim_end()))
        .collect();
    out.push_str(&format!("\n## `{name}`\n\n```text\n{help}```\n"));
    for sub in command
        .get_subcommands()
        .filter(|s| s.get_name() != "help" && !s.is_hide_set())
    {
        write(sub, out);
    }
}

#[test]
fn the_commands_page_is_what_help_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        page,
        "run script/docs, which writes it (this test with UPDATE=1)"
    );
}

#[test]
fn short_help_fits_a_screen_of_80_by_36() {
    fn check(command: &Command) {
        let help = command.clone().term_width(80).render_help().to_string();
        assert!(
            help.lines().count() <= 36,
            "{}: {} lines\n{help}",
            command.get_name(),
            help.lines().count()
        );
        assert!(
            help.lines().all(|l| l.chars().count() <= 80),
            "{}\n{help}",
            command.get_name()
        );
        command.get_subcommands().for_each(check);
    }
    let mut root = Cli::command();
    root.build();
    check(&root);
}
