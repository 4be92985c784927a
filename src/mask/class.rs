//! The classes of fields, and how each role sees each of them.
//!
//! # Invariants
//!
//! `forensics` sees everything raw. `viewer` sees no class better than `support` does.

use super::Role;

/// How a role sees the values of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldTreatment {
    /// The value is replaced by the mark of a masked value.
    Hidden,
    /// The names of an object's members, not their values.
    Names,
    /// Secrets in the text, and anything that looks like one, are removed.
    Scrubbed,
    /// An address without its last bits.
    Cut,
    /// Each member by a class of its own.
    Members,
    /// As they are, if they have the shape of the class.
    Checked,
    /// The value is shown byte for byte.
    Raw,
}

impl FieldTreatment {
    /// The name that `schemas/field_classes.toml` uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Names => "names",
            Self::Scrubbed => "scrubbed",
            Self::Cut => "cut",
            Self::Members => "members",
            Self::Checked => "checked",
            Self::Raw => "raw",
        }
    }
}

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident $name:literal $viewer:ident $support:ident;)*) => {
        /// The kinds of values that fields hold.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FieldClass {
            $($(#[$doc])* $variant,)*
        }

        impl FieldClass {
            /// Every class, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name that `schemas/field_classes.toml` uses.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// How `role` sees its values.
            #[must_use]
            pub const fn treatment(self, role: Role) -> FieldTreatment {
                match (role, self) {
                    (Role::Forensics, _) => FieldTreatment::Raw,
                    $((Role::Viewer, Self::$variant) => FieldTreatment::$viewer,
                      (Role::Support, Self::$variant) => FieldTreatment::$support,)*
                }
            }
        }
    };
}

classes! {
    /// A Ray ID of 16 hexadecimal digits.
    Ray "ray" Checked Checked;
    /// An instant in any of Logpush's timestamp formats.
    Time "time" Checked Checked;
    /// A number, of at most 12 digits before its point.
    Number "number" Checked Checked;
    /// The JSON literals `true` and `false` only.
    Flag "flag" Checked Checked;
    /// A country code of two letters or digits.
    Country "country" Checked Checked;
    /// At most three letters or digits.
    Region "region" Checked Checked;
    /// A data centre: three to five capitals.
    Colo "colo" Checked Checked;
    /// A method of HTTP: capitals.
    Method "method" Checked Checked;
    /// A URL scheme: `http`, `https`, `ws` or `wss`.
    Scheme "scheme" Checked Checked;
    /// A protocol's name and version.
    Protocol "protocol" Checked Checked;
    /// The name of a TLS cipher suite.
    Cipher "cipher" Checked Checked;
    /// One of Cloudflare's own words: letters.
    Word "word" Checked Checked;
    /// A name that the site's owner gave: of a script, a tag, an app.
    Name "name" Checked Checked;
    /// A host name, perhaps with a port.
    Host "host" Checked Checked;
    /// The name of a town or region.
    Place "place" Checked Checked;
    /// A media type such as `text/html`.
    Mime "mime" Checked Checked;
    /// A date as HTTP writes it.
    Date "date" Checked Checked;
    /// A sentence of the site's owner or of Cloudflare.
    Text "text" Scrubbed Scrubbed;
    /// The name that a program gives itself.
    Agent "agent" Scrubbed Scrubbed;
    /// A URL, or a path with its query.
    Url "url" Scrubbed Scrubbed;
    /// The query string of a URL, with or without its question mark.
    Query "query" Scrubbed Scrubbed;
    /// An IPv4 or IPv6 address, cut to its network for viewers.
    Ip "ip" Cut Checked;
    /// An id of the configuration: a rule's.
    Id "id" Hidden Checked;
    /// A fingerprint of a client.
    Fingerprint "fingerprint" Hidden Checked;
    /// A latitude or longitude in degrees.
    Position "position" Hidden Checked;
    /// Who the visitor is to the site.
    Person "person" Hidden Scrubbed;
    /// A text that a program printed or threw.
    Message "message" Hidden Scrubbed;
    /// A header's value of no special kind.
    Header "header" Hidden Scrubbed;
    /// The header `traceparent`: the IDs of a span of another trace.
    TraceContext "trace_context" Hidden Checked;
    /// The headers of a request or an answer.
    Headers "headers" Members Members;
    /// Members that a rule adds.
    Metadata "metadata" Members Members;
    /// What a program says of a span, an event of it, or itself, under names of OpenTelemetry's or of its own.
    Attributes "attributes" Members Members;
    /// An event of a span, or its link to another one.
    SpanPart "span_part" Members Members;
    /// The event that called a Worker.
    Event "event" Members Members;
    /// The request of an event.
    Request "request" Members Members;
    /// The answer of an event.
    Response "response" Members Members;
    /// An exception that a Worker threw: name, message, stack.
    Exception "exception" Members Members;
    /// A line that a Worker printed.
    LogLine "log_line" Members Members;
    /// The version of a Worker.
    Version "version" Members Members;
    /// Figures about clients of the same fingerprint.
    Signals "signals" Members Members;
    /// A list of records inside a record, each masked by its own fields.
    Records "records" Members Members;
    /// The cookies of a request.
    Cookies "cookies" Names Names;
    /// A value that only `forensics` may see.
    Secret "secret" Hidden Hidden;
    /// No table lists the field.
    Unknown "unknown" Hidden Hidden;
}
