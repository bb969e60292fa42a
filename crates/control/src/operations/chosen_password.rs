//! Password of a user, which the operator gives or the server generates.

use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::{limits, password};
use zeroize::Zeroizing;

/// A password, given or generated.
pub struct ChosenPassword {
    /// Missing if it was given.
    pub generated: Option<Zeroizing<String>>,
    pub stage2: [u8; 20],
}

impl ChosenPassword {
    pub fn generated(password: Zeroizing<String>) -> Self {
        Self {
            stage2: password::stage2(&password),
            generated: Some(password),
        }
    }

    pub fn of(given: Option<Zeroizing<String>>) -> ControlResult<Self> {
        let Some(given) = given else {
            return Ok(Self::generated(password::generate()?));
        };
        if given.is_empty()
            || given.chars().count() > limits::GIVEN_PASSWORD_CHARS_MAX
            || given.chars().any(char::is_control)
        {
            return Err(ControlError::new(
                ErrorCode::BadParameters,
                "the password is empty, too long or has control characters",
                "use 1 to 256 characters without line feeds, or leave it out to have one generated",
            ));
        }
        Ok(Self {
            stage2: password::stage2(&given),
            generated: None,
        })
    }
}
