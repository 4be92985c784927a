//! A family with a mark of its own in every field of every record: each role gets the marks of fields that it may see,
//! and a caller with a zone those of its zone.

use raydex::access::SENDER_ZONE;
use raydex::mask::{Disclosure, Role, fields, shown};
use raydex::pipeline::BatchOutcome;
use raydex::record::Dataset;
use serde_json::{Map, Value, json};

use super::access::{deployment, rule};
use super::support::Fakes;
use super::support::records::ray;
use super::{Ask, Reply};

/// The rays of the family: the visitor, a child in each zone, and a child of the one in zone a.
const VISITOR: u64 = 1;
const CHILDREN: [(u64, u64, &str); 3] = [(2, VISITOR, "a.example"), (3, VISITOR, "b.example"), (4, 2, "a.example")];

/// A mark: which record and field it stands in.
#[derive(Debug)]
struct Mark {
    dataset: Dataset,
    zone: &'static str,
    field: &'static str,
    text: String,
}

/// The records of the family, and their marks.
#[derive(Default)]
struct Family {
    marks: Vec<Mark>,
    records: Vec<(Dataset, &'static str, String)>,
}

impl Family {
    fn whole() -> Self {
        let mut family = Self::default();
        family.add(Dataset::HttpRequests, "a.example", VISITOR, None);
        for (number, parent, zone) in CHILDREN {
            family.add(Dataset::HttpRequests, zone, number, Some(parent));
        }
        for dataset in Dataset::WITH_RAY.into_iter().filter(|dataset| *dataset != Dataset::HttpRequests) {
            family.add(dataset, "", VISITOR, None);
        }
        family
    }

    /// Adds a record with a mark in every field but those that connect it.
    fn add(&mut self, dataset: Dataset, zone: &'static str, number: u64, parent: Option<u64>) {
        let id = ray(number).to_string();
        let mut record = Map::from_iter([("RayID".to_owned(), Value::from(id.clone()))]);
        if dataset == Dataset::WorkersTraceEvents {
            record = Map::from_iter([("Event".to_owned(), json!({ "RayID": id.clone() }))]);
        }
        if dataset == Dataset::WebsocketAnalytics {
            record.insert("rayId".into(), id.clone().into());
        }
        if dataset == Dataset::Traces {
            // With another zone it would be left out.
            record.insert(SENDER_ZONE.into(), "a.example".into());
        }
        if dataset == Dataset::HttpRequests {
            record.insert("ZoneName".into(), zone.into());
            record.insert("ParentRayID".into(), parent.map_or("00".to_owned(), |of| ray(of).to_string()).into());
        }
        for (field, _) in fields(dataset) {
            if !record.contains_key(*field) {
                let text = format!("zq{:04}qz", self.marks.len());
                record.insert((*field).to_owned(), text.clone().into());
                self.marks.push(Mark { dataset, zone, field, text });
            }
        }
        self.records.push((dataset, zone, Value::Object(record).to_string()));
    }

    /// A world with each record in a batch of its own, but those of this zone.
    fn store(&self, without: &str) -> Fakes {
        let fakes = Fakes::new();
        for (number, (dataset, zone, line)) in self.records.iter().enumerate() {
            if *zone != without {
                let key = format!("logs/{dataset}/{number}.log");
                let (_, outcome) = fakes.index(&key, *dataset, format!("{line}\n").as_bytes());
                assert!(matches!(outcome, BatchOutcome::Sealed(_)), "{dataset}: {outcome:?}");
            }
        }
        fakes
    }
}

/// Every form of a story, of every ray of the family.
fn stories() -> Vec<Ask> {
    let forms = [
        "",
        "subrequests=list",
        "subrequests=merge",
        "parts=tree",
        "parts=records,tree,deliveries&subrequests=list",
        "format=native&subrequests=list",
        "format=csv",
        "format=partner",
        "format=explain&subrequests=list",
        "format=har",
    ];
    let of_ray = |number| {
        let id = ray(number);
        let paths = forms.map(|form| format!("/v1/rays/{id}?{form}"));
        let others = [format!("/v1/rays/{id}/deliveries"), format!("/v1/rays/{id}/diff/{}", ray(VISITOR))];
        paths.into_iter().chain(others).map(|path| Ask::get(&path)).collect::<Vec<_>>()
    };
    [VISITOR, 2, 3, 4].into_iter().flat_map(of_ray).collect()
}

/// Asks for every story; `token` is a caller's.
fn tell(fakes: &Fakes, token: &str) -> Vec<Reply> {
    let rules = [
        rule("viewer", &json!({ "role": "viewer" })),
        rule("support", &json!({ "role": "support" })),
        rule("forensics", &json!({})),
        rule("zone", &json!({ "zones": ["a.example"] })),
        rule("zone-viewer", &json!({ "zones": ["a.example"], "role": "viewer" })),
    ];
    let config = Ok(deployment(&rules));
    let asked = |ask: Ask| Ask { authorization: Some(format!("Bearer {token}")), ..ask }.of_deployment(fakes, &config);
    stories().into_iter().map(asked).collect()
}

fn text_of(replies: &[Reply]) -> String {
    let text = |reply: &Reply| format!("{}\n{:?}\n", String::from_utf8_lossy(&reply.body), reply.headers);
    replies.iter().map(text).collect()
}

#[test]
fn story_shows_roles_what_their_fields_allow() {
    let family = Family::whole();
    let fakes = family.store("none");
    for (token, role) in [("viewer", Role::Viewer), ("support", Role::Support), ("forensics", Role::Forensics)] {
        let replies = tell(&fakes, token);
        let (text, mut hidden, mut seen) = (text_of(&replies), 0, 0);
        for mark in &family.marks {
            let is_shown = text.contains(&mark.text);
            seen += usize::from(is_shown);
            match shown(role, mark.dataset, mark.field) {
                Disclosure::Hidden => {
                    assert!(!is_shown, "{token}: {mark:?}");
                    hidden += 1;
                }
                Disclosure::Verbatim => assert!(is_shown, "{token}: {mark:?}"),
                Disclosure::Altered => {}
            }
        }
        assert_eq!(hidden > 0, role != Role::Forensics, "{token}: {hidden}");
        assert!(seen > 50, "{token}: {seen}");
    }
}

#[test]
fn story_of_a_zone_ignores_other_zones() {
    let family = Family::whole();
    let (whole, narrow) = (family.store("none"), family.store("b.example"));
    for token in ["zone", "zone-viewer"] {
        let (one, other) = (tell(&whole, token), tell(&narrow, token));
        let text = text_of(&one);
        for mark in family.marks.iter().filter(|mark| mark.zone == "b.example") {
            assert!(!text.contains(&mark.text), "{token}: {mark:?}");
        }
        assert!(!text.contains("b.example"));
        let own = family.marks.iter().filter(|mark| mark.zone == "a.example" && text.contains(&mark.text)).count();
        assert!(own > 50, "{token}: {own}");
        for ((ask, one), other) in stories().iter().zip(&one).zip(&other) {
            let what = format!("{token}: {}?{}", ask.path, ask.query);
            assert_eq!((one.status, &one.body, &one.headers), (other.status, &other.body, &other.headers), "{what}");
        }
        assert!(one.iter().filter(|reply| reply.status == 200).count() > 20);
    }
}
