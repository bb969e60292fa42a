//! The lean client of the benchmarks: reads a job, runs it, prints one line of JSON. It never tunes
//! the server that it measures and never prints a password.

mod error;
mod job;
mod limits;
mod paced;
mod packet;
mod session;
mod work;

use std::io::{BufRead, Read, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match carry_out() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bench client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out() -> Result<(), error::Error> {
    let mut input = std::io::stdin().lock();
    let mut line = String::new();
    input.read_line(&mut line)?;
    let job: job::Job =
        serde_json::from_str(&line).map_err(|e| error::Error::Job(e.to_string()))?;
    let (answer, held) = work::run(&job)?;
    let text = serde_json::to_string(&answer).map_err(|e| error::Error::Job(e.to_string()))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    if !held.is_empty() {
        // The parent process closes our input when the measurement is finished.
        input.read_to_end(&mut Vec::new())?;
        for session in held {
            session.goodbye()?;
        }
    }
    Ok(())
}
