//! The report: one finding per row of the table.

use crate::clean::clean;
use crate::finding::{FindingKind, FindingVerdict};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFinding {
    pub kind: FindingKind,
    pub verdict: FindingVerdict,
    /// Evidence: an alert, a packet, facts of a certificate. It has no control characters.
    pub evidence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    pub pass: usize,
    pub warn: usize,
    pub fail: usize,
    pub skip: usize,
    /// Number of the warnings that are about house rules.
    pub house_rules: usize,
}

#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// Start of the check, RFC 3339.
    pub at: String,
    pub endpoint: String,
    pub name: String,
    pub verdict: FindingVerdict,
    pub counts: Counts,
    /// Number of TCP connections that were opened.
    pub connections: usize,
    pub seconds: f64,
    pub findings: Vec<CheckFinding>,
}

impl Serialize for CheckFinding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            id: &'a str,
            promise: Option<&'a str>,
            title: &'a str,
            house_rule: bool,
            verdict: FindingVerdict,
            evidence: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            hint: Option<&'a str>,
            /// The former name of `hint`, kept for programs that read it.
            #[serde(skip_serializing_if = "Option::is_none")]
            mend: Option<&'a str>,
        }
        let entry = self.kind.entry();
        Shown {
            id: entry.id,
            promise: (entry.promise != "-").then_some(entry.promise),
            title: entry.title,
            house_rule: self.kind.is_house_rule(),
            verdict: self.verdict,
            evidence: &self.evidence,
            hint: self.hint(),
            mend: self.hint(),
        }
        .serialize(serializer)
    }
}

impl CheckFinding {
    /// Whether it warns of a house rule that is not kept. A failure is a fault of any MySQL server.
    pub fn is_broken_house_rule(&self) -> bool {
        self.verdict == FindingVerdict::Warn && self.kind.is_house_rule()
    }

    /// Returns the hint to fix it, for a warning or failure.
    pub fn hint(&self) -> Option<&'static str> {
        matches!(self.verdict, FindingVerdict::Warn | FindingVerdict::Fail)
            .then(|| self.kind.entry().hint)
    }
}

/// The findings while they are collected.
#[derive(Debug, Default)]
pub(crate) struct FindingSheet(BTreeMap<FindingKind, (FindingVerdict, String)>);

impl FindingSheet {
    pub fn put(&mut self, kind: FindingKind, verdict: FindingVerdict, evidence: impl AsRef<str>) {
        self.0.insert(kind, (verdict, clean(evidence.as_ref())));
    }

    pub fn pass(&mut self, kind: FindingKind, evidence: impl AsRef<str>) {
        self.put(kind, FindingVerdict::Pass, evidence);
    }

    /// Passes a finding that has no verdict yet.
    pub fn pass_if_open(&mut self, kind: FindingKind, evidence: impl AsRef<str>) {
        if !self.0.contains_key(&kind) {
            self.pass(kind, evidence);
        }
    }

    pub fn has_passed(&self, kind: FindingKind) -> bool {
        self.0
            .get(&kind)
            .is_some_and(|(verdict, _)| *verdict == FindingVerdict::Pass)
    }

    pub fn warn(&mut self, kind: FindingKind, evidence: impl AsRef<str>) {
        self.put(kind, FindingVerdict::Warn, evidence);
    }

    pub fn fail(&mut self, kind: FindingKind, evidence: impl AsRef<str>) {
        self.put(kind, FindingVerdict::Fail, evidence);
    }

    pub fn skip(&mut self, kind: FindingKind, evidence: impl AsRef<str>) {
        self.put(kind, FindingVerdict::Skip, evidence);
    }

    /// Returns the findings in the table's order. Those without a verdict are skipped for `reason`.
    pub fn close(mut self, reason: &str) -> Vec<CheckFinding> {
        let take = |kind: &FindingKind| {
            let (verdict, evidence) = self
                .0
                .remove(kind)
                .unwrap_or_else(|| (FindingVerdict::Skip, reason.to_owned()));
            CheckFinding {
                kind: *kind,
                verdict,
                evidence,
            }
        };
        FindingKind::ALL.iter().map(take).collect()
    }
}

impl Counts {
    pub fn of(findings: &[CheckFinding]) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            counts.house_rules += usize::from(finding.is_broken_house_rule());
            match finding.verdict {
                FindingVerdict::Pass => counts.pass += 1,
                FindingVerdict::Warn => counts.warn += 1,
                FindingVerdict::Fail => counts.fail += 1,
                FindingVerdict::Skip => counts.skip += 1,
            }
        }
        counts
    }

    /// Returns the verdict of all findings. Skipped ones and house rules don't change it.
    pub fn verdict(self) -> FindingVerdict {
        match self {
            Self { fail: 1.., .. } => FindingVerdict::Fail,
            Self {
                warn, house_rules, ..
            } if warn > house_rules => FindingVerdict::Warn,
            _ => FindingVerdict::Pass,
        }
    }
}
