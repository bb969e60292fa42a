//! Sizes in bytes as people write them: `512M`, `4G`. Units are powers of 1024.

use std::fmt;

/// Units, largest first.
const UNITS: [(char, u64); 4] = [
    ('T', 1 << 40),
    ('G', 1 << 30),
    ('M', 1 << 20),
    ('K', 1 << 10),
];

/// Number of bytes, written in the largest unit that keeps it a whole number. [`Size::parse`] reads
/// it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Error of text that is not a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number with a unit: \"512M\", \"4G\" or \"1T\"")]
pub struct WrongSize;

impl Size {
    /// Reads `512M`, `4G`, `4GB`, `4GiB`, in either case. A number without a unit is refused,
    /// because it could mean bytes or megabytes.
    pub fn parse(text: &str) -> Result<Self, WrongSize> {
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or(WrongSize)?;
        let (number, unit) = text.split_at(split);
        let number: u64 = number.parse().map_err(|_| WrongSize)?;
        let unit = unit.trim_start().to_ascii_uppercase();
        let mut letters = unit.chars();
        let letter = letters.next().ok_or(WrongSize)?;
        if !matches!(letters.as_str(), "" | "B" | "IB") {
            return Err(WrongSize);
        }
        let (_, bytes) = UNITS
            .iter()
            .find(|(name, _)| *name == letter)
            .ok_or(WrongSize)?;
        number.checked_mul(*bytes).map(Self).ok_or(WrongSize)
    }

    /// Number and unit as a person reads them, with one decimal place where it says something:
    /// `1.5 GB`, `1 GB`, `812 MB`.
    pub fn rounded(self) -> String {
        let Some((unit, bytes)) = UNITS.iter().find(|(_, bytes)| self.0 >= *bytes) else {
            return format!("{} B", self.0);
        };
        let tenths = u128::from(self.0) * 10 / u128::from(*bytes);
        match tenths {
            100.. => format!("{} {unit}B", tenths / 10),
            _ if tenths % 10 == 0 => format!("{} {unit}B", tenths / 10),
            _ => format!("{}.{} {unit}B", tenths / 10, tenths % 10),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS
            .iter()
            .find(|(_, bytes)| self.0 != 0 && self.0.is_multiple_of(*bytes));
        match whole {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None if self.0 == 0 => f.write_str("0"),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_back() {
        for (text, bytes) in [
            ("512M", 512 << 20),
            ("4G", 4 << 30),
            ("1T", 1 << 40),
            ("10K", 10 << 10),
        ] {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
            assert_eq!(Size(bytes).to_string(), text);
        }
        for (text, bytes) in [
            ("4g", 4u64 << 30),
            ("4GB", 4 << 30),
            ("4 GiB", 4 << 30),
            ("0M", 0),
        ] {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
        }
        assert_eq!(Size(1536 << 20).to_string(), "1536M");
    }

    #[test]
    fn text_that_is_no_size_is_refused() {
        for bad in [
            "",
            "4",
            "G",
            "-1G",
            "4X",
            "4GG",
            "4GBB",
            "4.5G",
            "99999999999999999999M",
            "17179869184T",
            "4\u{130}",
        ] {
            assert_eq!(Size::parse(bad), Err(WrongSize), "{bad:?}");
        }
    }

    #[test]
    fn measured_sizes_have_at_most_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1536, "1.5 KB"),
            (1 << 30, "1 GB"),
            (40 << 20, "40 MB"),
            (5 << 29, "2.5 GB"),
        ] {
            assert_eq!(Size(bytes).rounded(), text);
        }
    }
}
