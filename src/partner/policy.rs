//! The policies of deliveries that a deployment chooses. Their names are used in settings and in stored data, so they
//! never change.

use serde::{Deserialize, Serialize};

macro_rules! choice {
    ($(#[$about:meta])* $type:ident { $($(#[$variant_about:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $type {
            $($(#[$variant_about])* $variant,)*
        }

        impl $type {
            /// All choices, the default first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the name in the settings.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Parses a choice from its name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.name() == name)
            }
        }
    };
}

choice! {
    /// The policy for a delivery with an unknown outcome.
    OnUnknown {
        /// Send the same bytes again: at least once.
        #[default]
        Resend = "resend",
        /// Leave the decision to a person: at most once.
        Park = "park",
    }
}

choice! {
    /// The meaning of a 5xx of the partner, unless the status itself is specific.
    ServerErrors {
        /// The partner stored nothing: the payload is sent again.
        #[default]
        NotStored = "not_stored",
        /// It may have stored the delivery.
        Unknown = "unknown",
    }
}

choice! {
    /// Whether requests made by Workers are delivered in addition to those of visitors.
    Subrequests {
        /// Requests made by Workers are delivered.
        #[default]
        Include = "include",
        /// Requests made by Workers are not delivered.
        Exclude = "exclude",
    }
}

choice! {
    /// Whether records of the edge logger are delivered in addition to those of Logpush.
    EdgeRecords {
        /// They are not delivered.
        #[default]
        Exclude = "exclude",
        /// They are delivered, each as a line of its own beside Logpush's of the same request.
        Include = "include",
    }
}

impl EdgeRecords {
    /// Returns whether this is the default, which stored plans do not name.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

choice! {
    /// The treatment of a record whose line is already in a payload of another batch, or earlier in its own.
    DuplicatePolicy {
        /// It is not delivered again, but counted as filtered.
        #[default]
        Hold = "hold",
        /// It is delivered again, and counted.
        Send = "send",
    }
}

#[cfg(test)]
mod tests {
    use super::{DuplicatePolicy, OnUnknown, ServerErrors, Subrequests};

    macro_rules! has_one_spelling {
        ($type:ident) => {
            for &choice in $type::ALL {
                assert_eq!($type::from_name(choice.name()), Some(choice));
                assert_eq!(serde_json::to_value(choice).unwrap(), choice.name());
                assert_eq!(serde_json::from_value::<$type>(choice.name().into()).unwrap(), choice);
            }
            assert_eq!($type::ALL.first(), Some(&$type::default()));
            assert_eq!($type::from_name(""), None);
        };
    }

    #[test]
    fn choice_is_spelled_alike_in_settings_and_json() {
        has_one_spelling!(OnUnknown);
        has_one_spelling!(ServerErrors);
        has_one_spelling!(Subrequests);
        has_one_spelling!(DuplicatePolicy);
        assert_eq!(ServerErrors::from_name("not_stored"), Some(ServerErrors::NotStored));
        assert_eq!(ServerErrors::from_name("NotStored"), None);
    }
}
