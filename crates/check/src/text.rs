//! The report as text: one line per finding, with a hint below those that need one. Text from the
//! server is printed without control characters.

use crate::changes::FindingChange;
use crate::clean::cut;
use crate::finding::FindingVerdict;
use crate::report::{CheckFinding, CheckReport};
use std::fmt::Write;

#[derive(Debug, Clone, Copy)]
pub struct TextStyle {
    pub colours: bool,
    /// Columns of the screen, to which passing findings are cut and others wrapped.
    pub width: usize,
    /// Lines of the screen. A longer report lists the passed findings without evidence. None if the
    /// output is not a screen; then no line is cut or wrapped.
    pub rows: Option<usize>,
}

/// Columns before the evidence: two spaces, the verdict, two spaces, the id.
const EVIDENCE_COLUMN: usize = 28;

/// Maximum number of skipped findings of one reason that are named; more are counted.
const SKIPPED_NAMED_MAX: usize = 6;

/// Heading above the house rules.
const HOUSE_RULES: &str = "\nHouse rules of Tidegate, which other MySQL servers need not keep:\n";

/// Minimum columns of the evidence. A narrower terminal wraps.
const EVIDENCE_COLUMNS_MIN: usize = 30;

pub fn text(report: &CheckReport, style: TextStyle) -> String {
    let plain = written(
        report,
        TextStyle {
            colours: false,
            ..style
        },
        false,
    );
    let wrapped = |line: &str| line.chars().count().div_ceil(style.width.max(1)).max(1);
    let rows: usize = plain.lines().map(wrapped).sum();
    // The shell's prompt needs a line too.
    written(report, style, style.rows.is_some_and(|room| rows >= room))
}

fn written(report: &CheckReport, style: TextStyle, short: bool) -> String {
    let mut out = format!("{} as {}\n\n", report.endpoint, report.name);
    if short {
        passed(&mut out, report, style);
    }
    for finding in &report.findings {
        match finding.verdict {
            // Skipped findings follow by reason, and those passed are in the list above.
            FindingVerdict::Skip => {}
            FindingVerdict::Pass if short => {}
            _ if finding.is_broken_house_rule() => {}
            _ => line(&mut out, finding, style),
        }
    }
    skipped(&mut out, report, style);
    house_rules(&mut out, report, style);
    let counts = report.counts;
    // Writing to a String can't fail.
    let _ = write!(
        out,
        "\n{} passed, {} warned{}, {} failed, {} skipped; {} connection{}, {:.1} s\n",
        counts.pass,
        counts.warn,
        house_rule_count(counts.house_rules),
        counts.fail,
        counts.skip,
        report.connections,
        if report.connections == 1 { "" } else { "s" },
        report.seconds
    );
    out
}

/// Writes one line of a watch: time, verdict, last verdict, evidence, and a hint where there is
/// one.
pub fn change_line(change: &FindingChange, style: TextStyle) -> String {
    let finding = &change.finding;
    let word = paint(style, finding.verdict, finding.verdict.word());
    let was = change
        .was
        .map(|v| format!(" (was {})", v.word()))
        .unwrap_or_default();
    let hint = finding
        .hint()
        .map(|hint| format!("  hint: {hint}"))
        .unwrap_or_default();
    format!(
        "{}  {word}{was}  {}  {}{hint}\n",
        change.at,
        finding.kind.entry().id,
        finding.evidence
    )
}

fn line(out: &mut String, finding: &CheckFinding, style: TextStyle) {
    let word = paint(style, finding.verdict, finding.verdict.word());
    // A program that reads the output expects one line each, with all of the evidence.
    let room = match style.rows {
        Some(_) => style
            .width
            .saturating_sub(EVIDENCE_COLUMN)
            .max(EVIDENCE_COLUMNS_MIN),
        None => usize::MAX,
    };
    let id = finding.kind.entry().id;
    // A finding with a hint is wrapped instead.
    let Some(hint) = finding.hint() else {
        let _ = writeln!(out, "  {word}  {id:<18}  {}", cut(&finding.evidence, room));
        return;
    };
    let _ = writeln!(
        out,
        "  {word}  {id:<18}  {}",
        broken(&finding.evidence, room)
    );
    let _ = writeln!(
        out,
        "  {:>4}  {:<18}  {}",
        "",
        "  hint:",
        broken(hint, room)
    );
}

/// Wraps a text at words to this many columns. Later lines begin under the evidence.
fn broken(text: &str, room: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > room {
            let _ = write!(out, "\n{:EVIDENCE_COLUMN$}", "");
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

/// Writes the names of the passed findings, as many per line as fit.
fn passed(out: &mut String, report: &CheckReport, style: TextStyle) {
    const INDENT: usize = 8;
    let mut lines: Vec<String> = Vec::new();
    for finding in report
        .findings
        .iter()
        .filter(|f| f.verdict == FindingVerdict::Pass)
    {
        let id = finding.kind.entry().id;
        match lines.last_mut() {
            Some(line) if INDENT + line.len() + id.len() + 2 <= style.width => {
                line.push_str(", ");
                line.push_str(id);
            }
            _ => lines.push(id.to_owned()),
        }
    }
    let mut word = paint(style, FindingVerdict::Pass, FindingVerdict::Pass.word());
    for line in lines {
        let _ = writeln!(out, "  {word}  {line}");
        // The verdict is in the first line only.
        word = " ".repeat(FindingVerdict::Pass.word().len());
    }
}

/// Writes the house rules that are not kept, apart from the faults.
fn house_rules(out: &mut String, report: &CheckReport, style: TextStyle) {
    let mut heading = HOUSE_RULES;
    for finding in report.findings.iter().filter(|f| f.is_broken_house_rule()) {
        out.push_str(heading);
        heading = "";
        line(out, finding, style);
    }
}

fn house_rule_count(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " (1 house rule)".to_owned(),
        more => format!(" ({more} house rules)"),
    }
}

/// Writes the skipped findings, one line per reason.
fn skipped(out: &mut String, report: &CheckReport, style: TextStyle) {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for finding in report
        .findings
        .iter()
        .filter(|f| f.verdict == FindingVerdict::Skip)
    {
        let id = finding.kind.entry().id;
        match reasons
            .iter_mut()
            .find(|(reason, _)| *reason == finding.evidence)
        {
            Some((_, ids)) => ids.push(id),
            None => reasons.push((&finding.evidence, vec![id])),
        }
    }
    for (reason, ids) in reasons {
        let what = if ids.len() > SKIPPED_NAMED_MAX {
            format!("{} findings", ids.len())
        } else {
            ids.join(", ")
        };
        let _ = writeln!(
            out,
            "  {}  {what}: {reason}",
            paint(style, FindingVerdict::Skip, "skip")
        );
    }
}

fn paint(style: TextStyle, verdict: FindingVerdict, word: &str) -> String {
    let code = match verdict {
        FindingVerdict::Pass => "32",
        FindingVerdict::Skip => "2",
        FindingVerdict::Warn => "33",
        FindingVerdict::Fail => "1;31",
    };
    if style.colours {
        format!("\x1b[{code}m{word}\x1b[0m")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A style of 80 columns, for a screen of this many lines or for no screen.
    fn plain_style(rows: Option<usize>) -> TextStyle {
        TextStyle {
            colours: false,
            width: 80,
            rows,
        }
    }

    fn line_of_change(was: FindingVerdict, verdict: FindingVerdict) -> String {
        let finding = CheckFinding {
            kind: crate::FindingKind::Validity,
            verdict,
            evidence: "3 days".to_owned(),
        };
        let change = FindingChange {
            at: "NOW".to_owned(),
            endpoint: String::new(),
            was: Some(was),
            finding,
        };
        change_line(&change, plain_style(None))
    }

    #[test]
    fn a_change_is_one_line_and_says_what_to_do_where_it_got_worse() {
        assert_eq!(
            line_of_change(FindingVerdict::Warn, FindingVerdict::Pass),
            "NOW  pass (was warn)  validity  3 days\n"
        );
        let worse = line_of_change(FindingVerdict::Pass, FindingVerdict::Warn);
        assert!(
            worse.starts_with("NOW  warn (was pass)  validity  3 days  hint: Renew it"),
            "{worse}"
        );
    }

    fn report_of(endpoint: &str, findings: Vec<CheckFinding>) -> CheckReport {
        let counts = crate::Counts::of(&findings);
        CheckReport {
            at: String::new(),
            endpoint: endpoint.to_owned(),
            name: "h".to_owned(),
            verdict: counts.verdict(),
            counts,
            connections: 1,
            seconds: 1.0,
            findings,
        }
    }

    #[test]
    fn a_report_that_is_longer_than_the_screen_names_what_passed_and_tells_the_rest_in_full() {
        let findings: Vec<_> = crate::FindingKind::ALL
            .iter()
            .map(|kind| {
                let verdict = if *kind == crate::FindingKind::Plaintext {
                    FindingVerdict::Fail
                } else {
                    FindingVerdict::Pass
                };
                CheckFinding {
                    kind: *kind,
                    verdict,
                    evidence: "seen".to_owned(),
                }
            })
            .collect();
        let report = report_of("h:1", findings);
        let unlimited = text(&report, plain_style(None));
        let tall = text(&report, plain_style(Some(100)));
        assert!(unlimited.lines().count() > 36 && tall.lines().count() > 36);
        let short = text(&report, plain_style(Some(24)));
        assert!(short.lines().count() < 24, "{short}");
        assert!(
            short.contains("  fail  plaintext           seen\n") && short.contains("hint:"),
            "{short}"
        );
        let words: Vec<_> = short.split(['\n', ',', ' ']).collect();
        for kind in crate::FindingKind::ALL {
            assert!(words.contains(&kind.entry().id), "{short}");
        }
        assert!(short.lines().all(|l| l.chars().count() <= 80), "{short}");
        assert!(
            unlimited.lines().any(|l| l.len() > 80),
            "a program that reads the report gets one line per finding"
        );
    }

    #[test]
    fn house_rules_are_listed_apart_from_faults_and_do_not_change_the_verdict() {
        let mut sheet = crate::report::FindingSheet::default();
        sheet.warn(crate::FindingKind::Port, "4001");
        sheet.warn(crate::FindingKind::Alpn, "ignored");
        sheet.pass(crate::FindingKind::Name, "localhost");
        let findings = sheet.close("not judged");
        let counts = crate::Counts::of(&findings);
        assert_eq!((counts.warn, counts.house_rules), (2, 2));
        assert_eq!(counts.verdict(), FindingVerdict::Pass);
        let report = report_of("h:4001", findings);
        let text = text(&report, plain_style(None));
        let (faults, rules) = text.split_once(HOUSE_RULES).unwrap();
        assert!(
            !faults.contains("port  ") && faults.contains("name"),
            "{text}"
        );
        assert!(
            rules.contains("port  ") && rules.contains("alpn  "),
            "{text}"
        );
        assert!(
            text.contains("2 warned (2 house rules), 0 failed"),
            "{text}"
        );

        let mut sheet = crate::report::FindingSheet::default();
        sheet.warn(crate::FindingKind::Port, "4001");
        sheet.warn(crate::FindingKind::Silent, "still open");
        let counts = crate::Counts::of(&sheet.close(""));
        assert_eq!(counts.verdict(), FindingVerdict::Warn);
        let mut sheet = crate::report::FindingSheet::default();
        sheet.fail(crate::FindingKind::Alpn, "it chose http/1.1");
        let counts = crate::Counts::of(&sheet.close(""));
        assert_eq!(
            (counts.house_rules, counts.verdict()),
            (0, FindingVerdict::Fail)
        );
    }

    #[test]
    fn evidence_is_cut_on_a_screen_and_nowhere_else() {
        let evidence = "a name in the certificate, ".repeat(30);
        for verdict in [FindingVerdict::Pass, FindingVerdict::Warn] {
            let mut sheet = crate::report::FindingSheet::default();
            sheet.put(crate::FindingKind::Name, verdict, &evidence);
            let findings = sheet.close("");
            let finding = findings.iter().find(|f| f.kind == crate::FindingKind::Name);
            let finding = finding.unwrap();
            let mut piped = String::new();
            line(&mut piped, finding, plain_style(None));
            assert!(piped.contains(evidence.trim()), "{piped}");
            let mut screen = String::new();
            line(&mut screen, finding, plain_style(Some(24)));
            assert!(screen.lines().all(|l| l.chars().count() <= 80), "{screen}");
        }
    }
}
