//! What becomes of the batches that hold erased lines.

/// Whether batches are rewritten without their erased lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErasureMode {
    /// The lines leave the bucket.
    #[default]
    Rewrite,
    /// The lines stay in the bucket, and are hidden.
    Hide,
}

impl ErasureMode {
    /// Both, the default first.
    pub const ALL: &'static [Self] = &[Self::Rewrite, Self::Hide];

    /// Returns the value of the setting.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rewrite => "rewrite",
            Self::Hide => "hide",
        }
    }
}
