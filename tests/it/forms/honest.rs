//! Batches as Logpush writes them, whatever their records hold: sealed whole, with exact counts.

use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::test_runner::FileFailurePersistence;
use raydex::record::Dataset;
use serde_json::{Map, Value, json};

use super::support::Fakes;
use super::support::gzip::gzip;
use super::support::records::{marked, ray};
use super::{BatchOutcome, KEY};

const START_S: u32 = 1_774_687_320;

/// A dataset of `schemas/datasets.toml`.
struct Documented {
    dataset: Dataset,
    ray: Option<String>,
    time: String,
    fields: Vec<(String, String)>,
}

fn documented() -> Vec<Documented> {
    let table: toml::Table = include_str!("../../../schemas/datasets.toml").parse().unwrap();
    let of = |dataset: Dataset| {
        let known = &table[dataset.name()];
        let text = |name: &str| known.get(name).map(|value| value.as_str().unwrap().to_owned());
        let field = |pair: &toml::Value| {
            let text = |place: usize| pair[place].as_str().unwrap().to_owned();
            (text(0), text(1))
        };
        let fields = known["fields"].as_array().unwrap().iter().map(field).collect();
        Documented { dataset, ray: text("ray"), time: text("time").unwrap(), fields }
    };
    Dataset::ALL.into_iter().map(of).collect()
}

/// Small numbers from one seed.
struct Choices(u64);

impl Choices {
    fn below(&mut self, count: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let [.., a, b, c, d] = (self.0 >> 33).to_be_bytes();
        u32::from_be_bytes([a, b, c, d]) % count
    }

    fn one_of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        let place = self.below(u32::try_from(texts.len()).unwrap());
        texts[usize::try_from(place).unwrap()]
    }

    fn text(&mut self) -> String {
        let number = self.below(1_000_000);
        let texts = [
            format!("a{number}"),
            format!("a, b;\tc|{number}"),
            format!(r#"{{"RayID":"{}","EdgeStartTimestamp":{START_S},"ClientIP":"192.0.2.1"}}"#, ray(number.into())),
            format!(r#"[{{"RayID":"{}"}},{{"Timestamp":1}}]"#, ray(number.into())),
            r#"{"a":{"b":["{","}"]}}"#.into(),
            "[\n  {\n    \"a\": 1\n  },\n]".into(),
            "RayID,ClientIP,EdgeStartTimestamp\n9e35512345678abc,192.0.2.1,1".into(),
            "<record ray=\"9e35512345678abc\"/>\r\n</records>".into(),
            format!("\u{c}\u{b}\u{a0}\u{2028}{number}"),
            "H4sIAAAAAAAAA6tWKsrPSVWyUkpUqgUAcmx1HQ4AAAA=".into(),
            String::new(),
        ];
        self.one_of(&texts.each_ref().map(String::as_str)).to_owned()
    }

    /// An object of others: a customer's own names, or those of a record.
    fn object(&mut self, depth: u32) -> Value {
        let names = ["a", "RayID", "Timestamp", "Datetime", "event", "message", "records", "Type", "ClientIP"];
        let count = self.below(5);
        let members = (0..count).map(|_| {
            let name = self.one_of(&names);
            (name.to_owned(), self.value(depth))
        });
        Value::Object(members.collect())
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.below(if depth > 3 { 4 } else { 7 }) {
            0 => json!(self.text()),
            1 => json!(self.below(1_000_000_000)),
            2 => json!(ray(self.below(1_000).into()).to_string()),
            3 => Value::Null,
            4 => self.object(depth + 1),
            5 => json!([self.object(depth + 1), self.object(depth + 1)]),
            _ => json!([self.value(depth + 1), self.text()]),
        }
    }

    /// What a Worker wrote to its console.
    fn logs(&mut self) -> Value {
        json!([{"Level": "log", "Message": [self.text(), self.object(2)], "TimestampMs": u64::from(START_S) * 1000}])
    }

    fn field(&mut self, kind: &str) -> Value {
        match kind {
            "int" => json!(self.below(1_000_000)),
            "float" => json!(f64::from(self.below(1_000)) / 8.0),
            "bool" => json!(self.below(2) == 0),
            "string" => json!(self.text()),
            "time" => json!(START_S + self.below(600)),
            "object" => self.object(0),
            "array[object]" => json!([self.object(0), self.object(0)]),
            "array[string]" => json!([self.text(), self.text()]),
            _ => json!([self.below(9), self.below(9)]),
        }
    }

    /// A record with its time, some of its dataset's other fields, and mostly a ray.
    fn record(&mut self, known: &Documented) -> String {
        let mut record = Map::new();
        for (name, kind) in &known.fields {
            if *name != known.time && self.below(4) > 0 {
                record.insert(name.clone(), if name == "Logs" { self.logs() } else { self.field(kind) });
            }
        }
        if let Some(path) = &known.ray {
            let id = json!(ray(self.below(1 << 20).into()).to_string());
            let has_ray = self.below(3) > 0;
            match path.split_once('.') {
                Some((outer, inner)) if has_ray => drop(record.insert(outer.to_owned(), json!({inner: id}))),
                None if has_ray => drop(record.insert(path.clone(), id)),
                Some((outer, _)) => drop(record.insert(outer.to_owned(), Value::Null)),
                None => drop(record.remove(path)),
            }
        }
        record.insert(known.time.clone(), json!(START_S + self.below(600)));
        // Its own names, after all documented ones or before them.
        let own = self.one_of(&["custom", "_extra", "zz"]);
        if record.len() > 5 && self.below(3) == 0 {
            record.insert(own.to_owned(), json!({"a": self.text(), "RayID": ray(7).to_string(), "b": [1, {"c": 2}]}));
        }
        marked(known.dataset, &Value::Object(record).to_string())
    }
}

fn is_sealed_whole(known: &Documented, lines: &[String], newline: &str) {
    let text = lines.join(newline) + newline;
    let fakes = Fakes::new();
    let key = KEY.replace("http_requests", known.dataset.name());
    let (_, outcome) = fakes.index(&key, known.dataset, &gzip(text.as_bytes()));
    let BatchOutcome::Sealed(done) = outcome else { panic!("{}: {outcome:?}\n{text}", known.dataset) };
    let counts = (done.counts.lines, done.counts.records, done.counts.rejected_lines());
    assert_eq!(counts, (lines.len() as u64, lines.len() as u64, 0), "{}\n{text}", known.dataset);
}

#[test]
fn batch_of_few_fields_is_sealed_whole() {
    let json = r#"{"RayID":"9e35512345678abc","EdgeStartTimestamp":1774687320,"ClientIP":"192.0.2.1"}"#;
    let quoted = serde_json::to_string(json).unwrap();
    for known in documented() {
        for (name, kind) in &known.fields {
            let value = match kind.as_str() {
                "string" => quoted.clone(),
                "array[string]" => format!("[{quoted},{quoted}]"),
                "object" => r#"{"RayID":"a","records":[{"Timestamp":1}]}"#.into(),
                "array[object]" => format!(r#"[{{"Message":[{quoted}],"TimestampMs":1}},{{"RayID":"a"}}]"#),
                _ => continue,
            };
            if Some(name) == known.ray.as_ref() || *name == known.time {
                continue;
            }
            let line = format!(r#"{{"{}":{START_S},"{name}":{value}}}"#, known.time);
            is_sealed_whole(&known, &vec![marked(known.dataset, &line); 3], "\n");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: Some(Box::new(FileFailurePersistence::Off)), ..ProptestConfig::default() })]

    #[test]
    fn honest_batches_of_every_dataset_are_sealed_whole(
        count in 1_usize..60,
        seed in any::<u64>(),
        is_crlf in any::<bool>(),
    ) {
        let mut choices = Choices(seed);
        for known in documented() {
            let lines: Vec<String> = (0..count).map(|_| choices.record(&known)).collect();
            is_sealed_whole(&known, &lines, if is_crlf { "\r\n" } else { "\n" });
        }
    }
}
