//! The help page `docs/check.md`, made from the table of findings.

use crate::finding::FindingKind;
use std::fmt::Write;

const HEAD: &str = "\
<!-- Made from the table of findings (crates/check/src/finding.rs); change it there. -->

# `tidegate check`

This page is for operators before they publish an endpoint of the MySQL protocol, and for users
before they trust one. `tidegate check` tests its security from outside, whether or not it is
Tidegate. It needs only the address:

```sh
tidegate check db.example.com:4000
tidegate check 127.0.0.1:4000 --ca ca.pem --user PREFIX.root
```

It tests what an eavesdropper, an old driver or a client without a password can do. Each finding has
a verdict, the evidence, and a hint how to fix it.

| Verdict | Meaning |
| --- | --- |
| pass | as promised |
| warn | it works, but it can cause harm later |
| fail | a promise is broken |
| skip | could not be judged; the evidence gives the reason |

Some promises are house rules of Tidegate that other MySQL servers need not keep: port 4000,
refusing web protocols by ALPN, not asking for a client certificate, the database `test`. A house
rule that is not kept is a warning under a separate heading. It does not change the verdict of the
whole report.

Exit codes: 0, nothing failed (warnings are allowed); 1, something failed; 2, wrong usage.

It opens about twenty connections, most of them one after the other, each with a deadline and a
limit on the bytes read. With `--user` it logs in once, then once with a made-up password and once
as a made-up user. The password comes from `$TIDEGATE_PASSWORD` or a hidden prompt, and is sent only
over TLS whose certificate has been verified. `--json` prints one object with all evidence. If the
terminal has too few lines for the whole report, passed findings are only listed by name. `--watch
[SECONDS]` repeats the check and prints the changes (with `--json`, one line per change).

MySQL and MariaDB count the connections that end before a login, and block an address after
`max_connect_errors` (100) of them, for all its clients. One round makes about seventeen; any
successful login from that address, such as that of `--user`, resets the count. So without `--user`
only the first round of a watch is complete. Each later one is a single connection, which tests TLS
and certificate and ends with a login of an unknown user (`tidegate-check`).

The promises (C1 to C11) are those that Tidegate makes for its own endpoint:

| Promise | Text |
| --- | --- |
| C1 | A connection that does not upgrade to TLS is refused, with the reason |
| C2 | TLS 1.2 and 1.3, nothing older |
| C3 | A trusted certificate, served with its whole chain, renewed in time |
| C5 | The host name is verified: the right one passes, a wrong one fails, with or without SNI |
| C6 | One-way TLS: no client certificate is asked for |
| C8 | The platform's CA file contains the certificate's root |
| C9 | Port 4000, database `test`, login `<prefix>.<user>` |
| C10 | A sleeping cluster answers inside 15 s |
| C11 | A client without the password can't learn that a cluster exists, nor slow down others |

C4 (no CA download with a public certificate) follows from `trust` without `--ca`. C7 (the strings
of the Connect dialog) can't be tested from outside.
";

pub fn page() -> String {
    let mut out = String::from(HEAD);
    out.push_str("\n## The findings\n");
    for kind in FindingKind::ALL {
        let entry = kind.entry();
        let mut promise = if entry.promise == "-" {
            String::new()
        } else {
            format!(" ({})", entry.promise)
        };
        if kind.is_house_rule() {
            promise.push_str(" (house rule)");
        }
        // Writing to a String can't fail.
        let _ = write!(
            out,
            "\n### `{}`\n\n{}{promise}. {}\n\n**Fix:** {}\n",
            entry.id,
            capitalised(entry.title),
            entry.rule,
            entry.hint
        );
    }
    out
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
