//! Changes since the last report, for monitoring. It compares verdicts, not evidence: the days left
//! change every day.

use crate::finding::{FindingKind, FindingVerdict};
use crate::report::{CheckFinding, CheckReport};
use serde::Serialize;
use std::collections::BTreeMap;

/// A finding whose verdict changed. In the first report every finding is a change.
#[derive(Debug, Clone, Serialize)]
pub struct FindingChange {
    pub at: String,
    pub endpoint: String,
    pub was: Option<FindingVerdict>,
    #[serde(flatten)]
    pub finding: CheckFinding,
}

/// The last verdict of each finding.
#[derive(Debug, Default)]
pub struct CheckHistory(BTreeMap<FindingKind, FindingVerdict>);

impl CheckHistory {
    /// Returns the changes since the last report. A finding that was skipped this time keeps its
    /// last verdict.
    pub fn take(&mut self, report: &CheckReport) -> Vec<FindingChange> {
        let mut found = Vec::new();
        for finding in &report.findings {
            let was = self.0.get(&finding.kind).copied();
            let same = was == Some(finding.verdict)
                || (was.is_some() && finding.verdict == FindingVerdict::Skip);
            if same {
                continue;
            }
            self.0.insert(finding.kind, finding.verdict);
            let at = report.at.clone();
            let endpoint = report.endpoint.clone();
            found.push(FindingChange {
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

    fn report(verdict: FindingVerdict, evidence: &str) -> CheckReport {
        let finding = CheckFinding {
            kind: FindingKind::Validity,
            verdict,
            evidence: evidence.to_owned(),
        };
        CheckReport {
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
        let mut history = CheckHistory::default();
        for (verdict, evidence, changes) in [
            (FindingVerdict::Pass, "60 days", 1),
            (FindingVerdict::Pass, "59 days", 0),
            (FindingVerdict::Skip, "no connection", 0),
            // The skipped finding kept its last verdict.
            (FindingVerdict::Pass, "58 days", 0),
            (FindingVerdict::Fail, "expired", 1),
            (FindingVerdict::Pass, "90 days", 1),
        ] {
            let found = history.take(&report(verdict, evidence));
            assert_eq!(found.len(), changes, "{verdict:?}, {evidence}");
        }
    }
}
