//! The settings of the webhook that hears of what needs someone.

use std::fmt;
use std::net::Ipv4Addr;

use url::{Host, Url};

use super::reader::{SettingsReader, one_of};
use super::settings::{WEBHOOK_FORM, WEBHOOK_URL};

/// What a webhook expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WebhookForm {
    /// An object with the alerts.
    #[default]
    Json,
    /// A message of Slack, which other chats take too.
    Slack,
}

impl WebhookForm {
    const ALL: [Self; 2] = [Self::Json, Self::Slack];

    const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
        }
    }
}

/// Where the deployment sends what needs someone.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The address, which lets everyone post who knows it.
    pub url: String,
    /// What it expects.
    pub form: WebhookForm,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSettings").field("form", &self.form).finish_non_exhaustive()
    }
}

/// Reads the settings; `None` if there is no webhook, or after an error.
pub(super) fn read<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> Option<WebhookSettings> {
    let url = reader.read(&WEBHOOK_URL, address);
    let form = reader.read(&WEBHOOK_FORM, |name| one_of(name, &WebhookForm::ALL, WebhookForm::name));
    Some(WebhookSettings { url: url?, form: form? })
}

/// Checks an address: encrypted, or of the machine itself.
fn address(value: &str) -> Result<String, String> {
    let parsed = Url::parse(value).ok().filter(|url| url.username().is_empty() && url.password().is_none());
    let is_local = |url: &Url| matches!(url.host(), Some(Host::Domain("localhost") | Host::Ipv4(Ipv4Addr::LOCALHOST)));
    let is_safe = |url: &Url| url.scheme() == "https" || url.scheme() == "http" && is_local(url);
    parsed.filter(is_safe).map(String::from).ok_or_else(|| "must be a URL that begins with https://".into())
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::{WebhookForm, WebhookSettings};

    fn read(set: &[(&str, &str)]) -> Result<Option<WebhookSettings>, Vec<String>> {
        let token = ("API_TOKEN_SHA256", "0".repeat(64));
        let known = [(token.0, token.1.as_str())].into_iter().chain(set.iter().copied());
        let get = |name: &str| known.clone().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
        let faults = |faults: Vec<super::super::ConfigFault>| faults.iter().map(ToString::to_string).collect();
        Config::read(get).map(|config| config.webhook).map_err(faults)
    }

    #[test]
    fn webhook_has_an_address_and_a_form() {
        assert_eq!(read(&[("ALERT_WEBHOOK_FORM", "slack")]), Ok(None));
        let url = ("ALERT_WEBHOOK_URL", "https://hooks.example/T1/hunter2?x=1");
        let webhook = read(&[url, ("ALERT_WEBHOOK_FORM", "slack")]).unwrap().unwrap();
        assert_eq!((webhook.url.as_str(), webhook.form), (url.1, WebhookForm::Slack));
        assert_eq!(read(&[url]).unwrap().unwrap().form, WebhookForm::Json);
        assert_eq!(format!("{webhook:?}"), "WebhookSettings { form: Slack, .. }");
        for local in ["http://localhost:9/x", "http://127.0.0.1/x"] {
            assert!(read(&[("ALERT_WEBHOOK_URL", local)]).unwrap().is_some(), "{local}");
        }
    }

    #[test]
    fn unsafe_address_is_a_fault() {
        for url in
            ["http://hunter2.example/", "ftp://hunter2/", "https://hunter2:x@a.example/", "hunter2", "http://10.0.0.1/"]
        {
            let faults = read(&[("ALERT_WEBHOOK_URL", url)]).unwrap_err();
            assert_eq!(faults, ["ALERT_WEBHOOK_URL must be a URL that begins with https://"], "{url}");
        }
    }
}
