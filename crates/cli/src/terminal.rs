//! Asking a person at the terminal: yes or no, and a password that is not shown. It never asks
//! where no terminal is: the caller then says which flag answers.

use crate::limits;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use tidegate_model::printable;
use zeroize::Zeroizing;

pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on standard error, reads a line from standard input. Only `y` or `yes` is a yes.
pub fn yes(question: &str) -> io::Result<bool> {
    let mut err = io::stderr().lock();
    write!(err, "{} [y/N] ", printable(question))?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .take(limits::ANSWER_MAX as u64)
        .read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Reads a password from the terminal itself, so that it works with standard input redirected,
/// without showing it.
pub fn password(prompt: &str) -> io::Result<Zeroizing<String>> {
    let tty = File::options().read(true).write(true).open("/dev/tty")?;
    // In the terminal's line mode one read is one line; no buffered reader, whose copy would stay
    // behind.
    let mut line = Zeroizing::new([0u8; limits::ANSWER_MAX]);
    let read = {
        let _silent = Silence::begin(&tty)?;
        write!(&tty, "{}", printable(prompt))?;
        (&tty).flush()?;
        (&tty).read(line.as_mut_slice())
    };
    // The person's own newline was not shown either.
    writeln!(&tty)?;
    let line = line.get(..read?).unwrap_or_default();
    let text =
        std::str::from_utf8(line).map_err(|_| io::Error::other("the password is not UTF-8"))?;
    Ok(Zeroizing::new(
        text.trim_end_matches(['\n', '\r']).to_owned(),
    ))
}

/// No echo until dropped, whatever happens between.
struct Silence<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn begin(tty: &'a File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(tty, OptionalActions::Flush, &silent)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.tty, OptionalActions::Now, &self.before);
    }
}
