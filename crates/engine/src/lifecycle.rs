//! Lifecycle of a cluster as a pure state machine: events in, actions out. It uses no clock,
//! process or file; the supervisor carries its actions out.

use crate::limits::{DEATHS_MAX, START_TRIES};
use tidegate_model::ClusterState;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A session or an operator needs the engine. `may_retry`: the backoff after the last failure
    /// is over.
    Wanted { may_retry: bool },
    /// The engine is up and the gateway has logged in to it.
    Ready,
    /// The start failed. `killed`: a signal ended it, so a retry may help.
    StartFailed { killed: bool },
    /// A limit or the machine does not allow the start now. Nothing is wrong with the cluster.
    StartRefused,
    /// The engine ended by itself. `settled`: the run was too long to be part of a crash loop.
    Died { settled: bool },
    /// Nobody has done anything for `sleep_after`, or an operator asks for sleep.
    SleepDue,
    /// Others need the memory that it uses beyond its share.
    YieldDue,
    /// A session refused to end.
    DrainRefused,
    /// The engine has stopped. `clean`: its accounts were read last and are recorded in the ledger.
    Stopped { clean: bool, queued: bool },
    /// The server stops, or the cluster is removed.
    EndAsked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Start,
    /// Give out leases.
    Open,
    /// Give out no more leases, and drop those given out.
    Close,
    /// Ask the sessions to yield, then stop the engine.
    Drain,
    /// As `Drain`, but stop the engine even if sessions refuse.
    DrainAnyway,
    /// Sleep as above, and the sessions are told that the cluster yields its memory.
    DrainForMemory,
    /// Give up a start that is under way.
    AbortStart,
    /// Tell the waiters why the start failed, and set the backoff.
    TellFailure,
    /// Tell the waiters why the engine may not start now.
    TellRefusal,
    /// The supervisor's work is done.
    Finish,
}

#[derive(Debug, Clone)]
pub struct Lifecycle {
    state: ClusterState,
    tries: u32,
    deaths: u32,
    ending: bool,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            state: ClusterState::Asleep,
            tries: 0,
            deaths: 0,
            ending: false,
        }
    }
}

impl Lifecycle {
    /// Returns a cluster that can't be started at the moment.
    pub fn failed() -> Self {
        Self {
            state: ClusterState::Failed,
            ..Self::default()
        }
    }

    pub fn state(&self) -> ClusterState {
        self.state
    }

    /// Whether a new machine would do the same from now on.
    pub fn is_new(&self) -> bool {
        // `tries` is set by the next start.
        self.state == ClusterState::Asleep && self.deaths == 0 && !self.ending
    }

    pub fn on(&mut self, event: Event) -> Vec<Action> {
        use ClusterState::{Asleep, Awake, Draining, Failed, Waking};
        match (self.state, event) {
            // Only a failed cluster has to wait for the end of its backoff.
            (Asleep, Event::Wanted { .. }) | (Failed, Event::Wanted { may_retry: true })
                if !self.ending =>
            {
                self.tries = 1;
                self.go(Waking, &[Action::Start])
            }
            (Failed, Event::Wanted { may_retry: false }) => vec![Action::TellFailure],
            (Waking, Event::Ready) => self.go(Awake, &[Action::Open]),
            (Waking, Event::StartFailed { killed: true }) if self.tries < START_TRIES => {
                self.tries += 1;
                vec![Action::Start]
            }
            // Asleep and not failed: the cluster itself is not at fault.
            (Waking, Event::StartRefused) => self.go(Asleep, &[Action::TellRefusal]),
            (Waking, Event::StartFailed { .. }) => self.go(Failed, &[Action::TellFailure]),
            (Awake, Event::Died { settled }) => {
                // A run that lasted was not part of a crash loop, so the count starts again.
                self.deaths = if settled { 1 } else { self.deaths + 1 };
                if self.deaths >= DEATHS_MAX {
                    // From now on the next crash is reported immediately; only a settled run or a
                    // clean sleep resets the count.
                    self.deaths = DEATHS_MAX - 1;
                    return self.go(Failed, &[Action::Close, Action::TellFailure]);
                }
                self.tries = 1;
                self.go(Waking, &[Action::Close, Action::Start])
            }
            (Awake, Event::SleepDue) => self.go(Draining, &[Action::Drain]),
            (Awake, Event::YieldDue) => self.go(Draining, &[Action::DrainForMemory]),
            // A drain for sleep may be refused, but not any more once the server stops.
            (Draining, Event::DrainRefused) if self.ending => vec![Action::DrainAnyway],
            (Draining, Event::DrainRefused) => self.go(Awake, &[Action::Open]),
            (Draining, Event::Stopped { .. }) if self.ending => self.go(Asleep, &[Action::Finish]),
            (Draining, Event::Stopped { clean, queued }) => {
                if clean {
                    self.deaths = 0;
                }
                // An engine that did not stop cleanly is recovered at once: no login is judged by
                // stale accounts.
                if queued || !clean {
                    self.tries = 1;
                    return self.go(Waking, &[Action::Start]);
                }
                self.go(Asleep, &[])
            }
            (state, Event::EndAsked) => {
                self.ending = true;
                match state {
                    Asleep | Failed => vec![Action::Finish],
                    Waking => self.go(Asleep, &[Action::AbortStart, Action::Finish]),
                    Awake => self.go(Draining, &[Action::DrainAnyway]),
                    // The drain under way ends with `Stopped`, which finishes.
                    Draining => vec![],
                }
            }
            _ => vec![],
        }
    }

    fn go(&mut self, state: ClusterState, actions: &[Action]) -> Vec<Action> {
        self.state = state;
        actions.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action as A;
    use ClusterState::{Asleep, Awake, Draining, Failed, Waking};
    use Event as E;

    const WANTED: Event = E::Wanted { may_retry: true };
    const EARLY: Event = E::Wanted { may_retry: false };
    const KILLED: Event = E::StartFailed { killed: true };
    const BROKEN: Event = E::StartFailed { killed: false };
    const CRASH: Event = E::Died { settled: false };
    const DEATH: Event = E::Died { settled: true };
    const SLEPT: Event = E::Stopped {
        clean: true,
        queued: false,
    };
    const QUEUED: Event = E::Stopped {
        clean: true,
        queued: true,
    };
    const UNCLEAN: Event = E::Stopped {
        clean: false,
        queued: false,
    };

    /// A sequence of events, each with the expected actions and the state after it.
    type Scenario = &'static [(Event, &'static [Action], ClusterState)];

    /// Scenarios of sleep.
    const SLEEPS: &[Scenario] = &[
        // Normal cycle: wake, sleep. More waiters cause no second start.
        &[
            (WANTED, &[A::Start], Waking),
            (WANTED, &[], Waking),
            (E::Ready, &[A::Open], Awake),
            (WANTED, &[], Awake),
            (E::SleepDue, &[A::Drain], Draining),
            (WANTED, &[], Draining),
            (SLEPT, &[], Asleep),
        ],
        // A login arrives while the cluster goes to sleep.
        &[
            (WANTED, &[A::Start], Waking),
            (E::Ready, &[A::Open], Awake),
            (E::SleepDue, &[A::Drain], Draining),
            (QUEUED, &[A::Start], Waking),
        ],
        // One session refuses, so the cluster stays awake.
        &[
            (WANTED, &[A::Start], Waking),
            (E::Ready, &[A::Open], Awake),
            (E::SleepDue, &[A::Drain], Draining),
            (E::DrainRefused, &[A::Open], Awake),
        ],
        // It yields its memory whatever its sessions do, and only while it is awake.
        &[
            (E::YieldDue, &[], Asleep),
            (WANTED, &[A::Start], Waking),
            (E::YieldDue, &[], Waking),
            (E::Ready, &[A::Open], Awake),
            (E::YieldDue, &[A::DrainForMemory], Draining),
            (E::YieldDue, &[], Draining),
            (SLEPT, &[], Asleep),
        ],
    ];

    /// Scenarios of starts that fail and engines that die.
    const FAILED_STARTS: &[Scenario] = &[
        // Killed while starting: retried without telling the waiters, then failed; no start
        // during the backoff, then a retry.
        &[
            (WANTED, &[A::Start], Waking),
            (KILLED, &[A::Start], Waking),
            (KILLED, &[A::Start], Waking),
            (KILLED, &[A::TellFailure], Failed),
            (EARLY, &[A::TellFailure], Failed),
            (WANTED, &[A::Start], Waking),
            (E::Ready, &[A::Open], Awake),
        ],
        &[
            (WANTED, &[A::Start], Waking),
            (BROKEN, &[A::TellFailure], Failed),
        ],
        // Start refused: asleep as before, and the next login causes a new start.
        &[
            (WANTED, &[A::Start], Waking),
            (E::StartRefused, &[A::TellRefusal], Asleep),
            (EARLY, &[A::Start], Waking),
            (E::StartRefused, &[A::TellRefusal], Asleep),
            (E::StartRefused, &[], Asleep),
        ],
        // Died: recovered by itself.
        &[
            (WANTED, &[A::Start], Waking),
            (E::Ready, &[A::Open], Awake),
            (CRASH, &[A::Close, A::Start], Waking),
            (E::Ready, &[A::Open], Awake),
            (DEATH, &[A::Close, A::Start], Waking),
        ],
        // An unclean stop is recovered at once.
        &[
            (WANTED, &[A::Start], Waking),
            (E::Ready, &[A::Open], Awake),
            (E::SleepDue, &[A::Drain], Draining),
            (UNCLEAN, &[A::Start], Waking),
        ],
    ];

    /// Scenarios of the end, and of events that a state does not expect.
    const ENDS: &[Scenario] = &[
        // End asked for in each state; nothing starts afterwards.
        &[(E::EndAsked, &[A::Finish], Asleep), (WANTED, &[], Asleep)],
        &[
            (WANTED, &[A::Start], Waking),
            (E::EndAsked, &[A::AbortStart, A::Finish], Asleep),
        ],
        &[
            (WANTED, &[A::Start], Waking),
            (E::Ready, &[A::Open], Awake),
            (E::EndAsked, &[A::DrainAnyway], Draining),
            (QUEUED, &[A::Finish], Asleep),
        ],
        &[
            (WANTED, &[A::Start], Waking),
            (E::Ready, &[A::Open], Awake),
            (E::SleepDue, &[A::Drain], Draining),
            (E::EndAsked, &[], Draining),
            (E::DrainRefused, &[A::DrainAnyway], Draining),
            (UNCLEAN, &[A::Finish], Asleep),
        ],
        // Unexpected events change nothing.
        &[
            (E::Ready, &[], Asleep),
            (E::SleepDue, &[], Asleep),
            (CRASH, &[], Asleep),
            (SLEPT, &[], Asleep),
        ],
    ];

    #[test]
    fn expected_scenarios() {
        let all = [SLEEPS, FAILED_STARTS, ENDS].concat();
        for (n, scenario) in all.iter().enumerate() {
            let mut machine = Lifecycle::default();
            for (step, (event, actions, state)) in scenario.iter().enumerate() {
                let place = format!("scenario {n}, step {step}");
                assert_eq!(machine.on(*event), actions.to_vec(), "{place}");
                assert_eq!(machine.state(), *state, "{place}");
            }
        }
    }

    /// Starts a run and ends it with this event.
    fn crash(machine: &mut Lifecycle, event: E) -> Vec<A> {
        machine.on(E::Ready);
        machine.on(event)
    }

    #[test]
    fn a_crash_loop_ends_in_failure_and_a_settled_run_resets_the_count() {
        let mut machine = Lifecycle::default();
        machine.on(WANTED);
        for _ in 1..DEATHS_MAX {
            assert_eq!(crash(&mut machine, CRASH), [A::Close, A::Start]);
        }
        assert_eq!(
            crash(&mut machine, DEATH),
            [A::Close, A::Start],
            "the run had settled"
        );
        for _ in 2..DEATHS_MAX {
            assert_eq!(crash(&mut machine, CRASH), [A::Close, A::Start]);
        }
        assert_eq!(crash(&mut machine, CRASH), [A::Close, A::TellFailure]);
        assert_eq!(machine.state(), Failed);
        for _ in 0..3 {
            assert_eq!(machine.on(EARLY), [A::TellFailure]);
            assert_eq!(machine.on(WANTED), [A::Start]);
            machine.on(E::Ready);
            assert_eq!(
                machine.on(CRASH),
                [A::Close, A::TellFailure],
                "one crash is enough from now on"
            );
        }
        machine.on(WANTED);
        machine.on(E::Ready);
        machine.on(E::SleepDue);
        machine.on(SLEPT);
        machine.on(WANTED);
        machine.on(E::Ready);
        assert_eq!(
            machine.on(CRASH),
            [A::Close, A::Start],
            "a clean sleep resets the count"
        );
    }
}
