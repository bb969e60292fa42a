//! Scopes of an API key: what its holder may do.

use crate::limits;
use std::fmt;
use tidegate_model::ClusterName;

/// A scope, written `read`, `clusters:PATTERN` or `all`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Full access, except to keys and operators.
    All,
    /// Create, change, use and delete clusters of these names, with limits up to the server's
    /// defaults.
    Clusters(NamePattern),
    /// Read the state of all clusters, their sessions and the server; never rows, SQL, logs, hashes
    /// or passwords.
    Read,
}

/// Pattern of cluster names, in which `*` matches any characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamePattern(String);

/// Scopes of one key; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

/// Error of text that is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a scope")]
pub struct WrongScope(String);

impl NamePattern {
    fn parse(text: &str) -> Option<Self> {
        let fits = (1..=ClusterName::LEN_MAX).contains(&text.len());
        let known =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '*');
        (fits && text.chars().all(known)).then(|| Self(text.to_owned()))
    }

    /// Whether a name matches. Takes at most `pattern x name` steps, both of at most 63 bytes.
    pub fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == name;
        };
        let Some(mut left) = name.strip_prefix(first) else {
            return false;
        };
        let mut parts = rest.split('*').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return left.ends_with(part);
            }
            // The first match is enough: it leaves the most text for the later parts, so nothing is
            // tried again.
            let Some(at) = left.find(part) else {
                return false;
            };
            left = left.get(at + part.len()..).unwrap_or_default();
        }
        true
    }
}

impl Scopes {
    pub fn all() -> Self {
        Self(vec![Scope::All])
    }

    /// Reads scopes that are separated by commas.
    pub fn parse(text: &str) -> Result<Self, WrongScope> {
        let mut scopes = text
            .split(',')
            .map(|part| Scope::parse(part.trim()))
            .collect::<Result<Vec<_>, _>>()?;
        scopes.sort();
        scopes.dedup();
        if scopes.len() > limits::KEY_SCOPES_MAX {
            return Err(WrongScope::of(text));
        }
        Ok(Self(scopes))
    }

    /// Each scope in its written form.
    pub fn words(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    pub fn is_all(&self) -> bool {
        self.0.contains(&Scope::All)
    }

    /// Whether the state of this cluster may be read.
    pub fn may_read(&self, cluster: &str) -> bool {
        self.0.contains(&Scope::Read) || self.may_change(cluster)
    }

    /// Whether this cluster may be created, changed, used and deleted.
    pub fn may_change(&self, cluster: &str) -> bool {
        self.0.iter().any(|scope| match scope {
            Scope::All => true,
            Scope::Clusters(pattern) => pattern.matches(cluster),
            Scope::Read => false,
        })
    }

    /// Whether a cluster with a generated name may be created.
    pub fn may_change_any(&self) -> bool {
        self.0.iter().any(|scope| match scope {
            Scope::All => true,
            Scope::Clusters(pattern) => pattern.0 == "*",
            Scope::Read => false,
        })
    }
}

impl Scope {
    fn parse(text: &str) -> Result<Self, WrongScope> {
        match text.split_once(':') {
            None if text == "read" => Ok(Self::Read),
            None if text == "all" => Ok(Self::All),
            Some(("clusters", pattern)) => NamePattern::parse(pattern)
                .map(Self::Clusters)
                .ok_or_else(|| WrongScope::of(text)),
            _ => Err(WrongScope::of(text)),
        }
    }
}

impl WrongScope {
    fn of(text: &str) -> Self {
        Self(text.chars().take(limits::KEY_NAME_MAX).collect())
    }

    pub const HINT: &'static str = "use read, clusters:PATTERN (such as clusters:shop-*) or all";
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Clusters(pattern) => write!(f, "clusters:{}", pattern.0),
            Self::Read => f.write_str("read"),
        }
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, scope) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{scope}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_written_back() {
        for (text, written) in [
            ("all", "all"),
            ("read", "read"),
            ("clusters:shop-*", "clusters:shop-*"),
            (
                "read, clusters:b, clusters:a, read",
                "clusters:a,clusters:b,read",
            ),
        ] {
            let scopes = Scopes::parse(text).unwrap();
            assert_eq!(scopes.to_string(), written);
            assert_eq!(Scopes::parse(written).unwrap(), scopes);
        }
        let many = vec!["read"; 1_000].join(",") + ",x";
        for wrong in [
            "",
            "read,",
            "ALL",
            "clusters",
            "clusters:",
            "clusters:A",
            "clusters:a b",
            "write",
            "read:*",
            &many,
        ] {
            assert!(Scopes::parse(wrong).is_err(), "{wrong}");
        }
        let many: Vec<_> = (0..=limits::KEY_SCOPES_MAX)
            .map(|n| format!("clusters:c{n}"))
            .collect();
        assert!(Scopes::parse(&many.join(",")).is_err());
    }

    fn matches(pattern: &str, name: &str) -> bool {
        NamePattern::parse(pattern).unwrap().matches(name)
    }

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text).unwrap()
    }

    #[test]
    fn a_pattern_matches_whole_names_only() {
        for (pattern, name) in [
            ("shop", "shop"),
            ("shop-*", "shop-"),
            ("shop-*", "shop-eu-1"),
            ("*", "anything"),
            ("*-eu", "shop-eu"),
            ("*-eu", "shop-eu-eu"),
            ("a*b*c", "abbc"),
            ("a*a", "aa"),
            ("a**b", "ab"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("shop", "shop2"),
            ("shop", "myshop"),
            ("shop-*", "shop"),
            ("shop-*", "my-shop-1"),
            ("*-eu", "shop-us"),
            ("a*a", "a"),
            ("a*b*c", "acb"),
            ("a*bc*c", "abc"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_scope_gives_what_it_says_and_no_more() {
        let read = scopes("read");
        let shop = scopes("clusters:shop-*");
        let both = scopes("read,clusters:shop-*");
        assert!(read.may_read("shop-1") && !read.may_change("shop-1") && !read.may_change_any());
        assert!(shop.may_read("shop-1") && shop.may_change("shop-1"));
        assert!(!shop.may_read("bank") && !shop.may_change("bank") && !shop.may_change_any());
        assert!(both.may_read("bank") && !both.may_change("bank") && both.may_change("shop-1"));
        assert!(scopes("clusters:*").may_change_any() && !scopes("clusters:*").is_all());
        assert!(
            Scopes::all().is_all()
                && Scopes::all().may_change("bank")
                && Scopes::all().may_read("bank")
        );
    }
}
