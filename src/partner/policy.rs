//! What a deployment decides about its deliveries, where more than one answer is right.
//!
//! A name is spelled as in the settings and in what is stored, so it never changes.

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
            /// All of them, the default first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name in the settings.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The choice of that name, if there is one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.name() == name)
            }
        }
    };
}

choice! {
    /// What follows when it is not known whether the partner stored a delivery.
    OnUnknown {
        /// Send it again, the same bytes: at least once.
        #[default]
        Resend = "resend",
        /// Leave it to a person: at most once.
        Park = "park",
    }
}

choice! {
    /// What a 5xx of the partner means, where the status itself does not say.
    ServerErrors {
        /// The partner stored nothing: the payload is sent again.
        #[default]
        NotStored = "not_stored",
        /// It may have stored the delivery.
        Unknown = "unknown",
    }
}

choice! {
    /// Whether the requests that Workers make are delivered in addition to those of visitors.
    Subrequests {
        /// Requests that Workers make are delivered.
        #[default]
        Include = "include",
        /// Requests that Workers make are not delivered.
        Exclude = "exclude",
    }
}

choice! {
    /// What becomes of a record whose line is in a payload of another batch already, or earlier in its own.
    DuplicatePolicy {
        /// It is not delivered again, and counted as filtered.
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
