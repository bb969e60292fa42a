//! Questions to a person at the terminal: yes or no, and a password that is not shown. Without a
//! terminal the caller names the flag that answers instead.

use crate::limits;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use tidegate_model::printable;
use zeroize::Zeroizing;

pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on standard error and reads a line from standard input. Only `y` and `yes` mean yes.
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

/// Reads a password without showing it, from the terminal itself, so that standard input may be
/// redirected.
pub fn password(prompt: &str) -> io::Result<Zeroizing<String>> {
    // Standard input may be a pipe, for example with statements.
    let tty = File::options().read(true).write(true).open("/dev/tty")?;
    // In the terminal's line mode one read returns one line. A buffered reader would keep a copy of
    // the password in memory.
    let mut line = Zeroizing::new([0u8; limits::ANSWER_MAX]);
    let read = {
        let _no_echo = NoEcho::begin(&tty)?;
        write!(&tty, "{}", printable(prompt))?;
        (&tty).flush()?;
        (&tty).read(line.as_mut_slice())
    };
    // The line feed that the person typed was not shown either.
    writeln!(&tty)?;
    let (line, _) = line
        .split_at_checked(read?)
        .ok_or(io::ErrorKind::InvalidData)?;
    let text =
        std::str::from_utf8(line).map_err(|_| io::Error::other("the password is not UTF-8"))?;
    Ok(Zeroizing::new(
        text.trim_end_matches(['\n', '\r']).to_owned(),
    ))
}

/// Terminal without echo. It is restored on drop, even after an error.
struct NoEcho<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> NoEcho<'a> {
    fn begin(tty: &'a File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // Discards what was typed before the prompt.
        tcsetattr(tty, OptionalActions::Flush, &silent)?;
        Ok(Self { tty, before })
    }
}

impl Drop for NoEcho<'_> {
    fn drop(&mut self) {
        // Also after an error, or the terminal would stay without echo.
        let _ = tcsetattr(self.tty, OptionalActions::Now, &self.before);
    }
}
