//! The settings of queue names. They are read apart from the others: the queue decides who handles a message, even while
//! other settings are faulty.

use super::reader::SettingsReader;
use super::settings::{EDGE_QUEUE, PARSE_DLQ, PARSE_QUEUE, SEND_DLQ, SEND_QUEUE, SettingSpec};

/// Maximum length of a queue's name, set by the platform.
const NAME_BYTES: usize = 63;

/// The names of the queues that the deployment consumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueNames {
    /// The queue of objects to parse.
    pub parse: String,
    /// The queue of payloads to send.
    pub send: String,
    /// The queue for messages that the first one gave up on.
    pub parse_dlq: String,
    /// The queue for messages that the second one gave up on.
    pub send_dlq: String,
    /// The queue of the edge logger's batches.
    pub edge: String,
}

impl QueueNames {
    /// Reads the names; a faulty one has its default.
    #[must_use]
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        read(&mut SettingsReader::new(get))
    }

    /// Returns all names, in the order of the settings.
    const fn all(&self) -> [&String; 5] {
        [&self.parse, &self.send, &self.parse_dlq, &self.send_dlq, &self.edge]
    }
}

/// Reads the names; a faulty one has its default, and two equal ones are a fault.
pub(super) fn read<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> QueueNames {
    let mut name = |setting: &SettingSpec| {
        reader.read(setting, queue_name).unwrap_or_else(|| setting.default().unwrap_or_default().to_owned())
    };
    let names = QueueNames {
        parse: name(&PARSE_QUEUE),
        send: name(&SEND_QUEUE),
        parse_dlq: name(&PARSE_DLQ),
        send_dlq: name(&SEND_DLQ),
        edge: name(&EDGE_QUEUE),
    };
    let settings = [&PARSE_QUEUE, &SEND_QUEUE, &PARSE_DLQ, &SEND_DLQ, &EDGE_QUEUE];
    for (place, (setting, name)) in settings.into_iter().zip(names.all()).enumerate() {
        if names.all().iter().take(place).any(|earlier| *earlier == name) {
            reader.invalid(setting, "names the same queue as another setting".into());
        }
    }
    names
}

fn queue_name(value: &str) -> Result<String, String> {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let fits = (1..=NAME_BYTES).contains(&value.len())
        && value.bytes().all(is_inner)
        && !value.starts_with('-')
        && !value.ends_with('-');
    let wrong = || format!("is not a queue's name: 1 to {NAME_BYTES} letters, digits and inner hyphens");
    if fits { Ok(value.to_owned()) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::{QueueNames, SettingsReader, read};
    use crate::config::ConfigFault;

    /// Returns the faults of the names alone.
    fn faults(get: impl Fn(&str) -> Option<String>) -> Vec<ConfigFault> {
        let mut reader = SettingsReader::new(get);
        read(&mut reader);
        reader.take_faults()
    }

    #[test]
    fn queues_have_the_names_that_are_set() {
        let set = |name: &str| match name {
            "PARSE_QUEUE_NAME" => Some("parse-queue-example".to_owned()),
            "SEND_DLQ_NAME" => Some("Lost-7".to_owned()),
            _ => None,
        };
        let QueueNames { parse, send, parse_dlq, send_dlq, edge } = QueueNames::read(set);
        assert_eq!(
            [&*parse, &*send, &*parse_dlq, &*send_dlq, &*edge],
            ["parse-queue-example", "send-queue", "parse-dlq", "Lost-7", "edge-queue"]
        );
        assert!(faults(set).is_empty());
    }

    #[test]
    fn odd_and_equal_names_are_faults() {
        for value in ["a b", "-a", "a-", "a/b", "é", &"x".repeat(64), "send-queue", "parse-dlq"] {
            let set = |name: &str| (name == "PARSE_QUEUE_NAME").then(|| value.to_owned());
            assert_eq!(faults(set).len(), 1, "{value}");
        }
        let set = |name: &str| (name == "PARSE_QUEUE_NAME").then(|| "a b".to_owned());
        assert_eq!(QueueNames::read(set).parse, "parse-queue");
    }
}
