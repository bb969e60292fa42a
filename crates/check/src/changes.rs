//! Changes since the last report, for monitoring. It compares verdicts, not evidence: the days left
//! change every day.

use crate::finding::{Kind, Verdict};
use crate::report::{Finding, Report};
use serde::Serialize;
use std::collections::BTreeMap;

/// A finding whose verdict changed. In the first report every finding is a change.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    pub at: String,
    pub endpoint: String,
    pub was: Option<Verdict>,
    #[serde(flatten)]
    pub finding: Finding,
}

/// The last verdict of each finding.
#[derive(Debug, Default)]
pub struct History(BTreeMap<Kind, Verdict>);

impl History {
    /// Returns the changes since the last report. A finding that was skipped this time keeps its
    /// last verdict.
    pub fn take(&mut self, report: &Report) -> Vec<Change> {
        let mut found = Vec::new();
        for finding in &report.findings {
            let was = self.0.get(&finding.kind).copied();
            let same =
                was == Some(finding.verdict) || (was.is_some() && finding.verdict == Verdict::Skip);
            if same {
                continue;
            }
            self.0.insert(finding.kind, finding.verdict);
            let at = report.at.clone();
            let endpoint = report.endpoint.clone();
            found.push(Change {
                at,
                endpoint,
                was,
                finding: finding.clone(),
            });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Counts;

    fn report(verdict: Verdict, evidence: &str) -> Report {
        let finding = Finding {
            kind: Kind::Validity,
            verdict,
            evidence: evidence.to_owned(),
        };
        Report {
            at: String::new(),
            endpoint: String::new(),
            name: String::new(),
            verdict,
            counts: Counts::default(),
            connections: 0,
            seconds: 0.0,
            findings: vec![finding],
        }
    }

    #[test]
    fn only_another_verdict_is_a_change_and_a_skip_is_none() {
        let mut history = History::default();
        for (verdict, evidence, changes) in [
            // In the first report every finding is a change.
            (Verdict::Pass, "60 days", 1),
            (Verdict::Pass, "59 days", 0),
            (Verdict::Skip, "no connection", 0),
            // The skipped finding kept its last verdict.
            (Verdict::Pass, "58 days", 0),
            (Verdict::Fail, "expired", 1),
            (Verdict::Pass, "90 days", 1),
        ] {
            let found = history.take(&report(verdict, evidence));
            assert_eq!(found.len(), changes, "{verdict:?}, {evidence}");
        }
    }
}
