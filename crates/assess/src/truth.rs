//! Yes, no, or not known and why: Kleene's logic of three values, so that what was not said never counts as passed and
//! never as found.

/// Whether something holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Truth {
    Yes,
    No,
    /// Why it could not be told, as a clause for people.
    Unknown(&'static str),
}

impl Truth {
    /// What a source said, or why it matters that it did not.
    pub fn said(said: Option<bool>, why: &'static str) -> Self {
        said.map_or(Self::Unknown(why), Self::from)
    }

    /// Holds only if both hold. Of two reasons the first stays.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown(why), _) | (Self::Yes, Self::Unknown(why)) => Self::Unknown(why),
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    #[must_use]
    pub fn or(self, other: Self) -> Self {
        !(!self).and(!other)
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            unknown @ Self::Unknown(_) => unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}
