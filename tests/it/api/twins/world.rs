//! Random batches, whose lines say whom they are for, built with all of them or with some.

use raydex::record::Dataset;
use raydex::time::{rfc3339, stamp};

use super::story::{batch, deliver, park, wish};
use super::{Fakes, Random, gzip, random_ray};
use crate::support::records::ndjson;

/// Milliseconds before which records are made.
pub(super) const START_MS: i64 = 1_774_684_800_000;
/// How far they reach.
pub(super) const SPAN_MS: i64 = 2_400_000;

/// Whom a line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The zone of the callers.
    Ours,
    /// Another zone, or none that can be proven.
    Others,
}

/// A line of a batch.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) owner: Owner,
    pub(super) text: String,
    /// The same without the records of others inside of it, where it has any.
    pub(super) cut: Option<String>,
}

/// A batch to be.
#[derive(Debug)]
struct Plan {
    dataset: Dataset,
    key: String,
    lines: Vec<Line>,
    is_delivered: bool,
    is_parked: bool,
}

/// The batches of a seed.
#[derive(Debug)]
pub(super) struct World {
    plans: Vec<Plan>,
    pub(super) ours: Vec<String>,
    pub(super) hidden: Vec<String>,
}

impl World {
    pub(super) fn random(random: &mut Random) -> Self {
        let mut world = Self { plans: Vec::new(), ours: Vec::new(), hidden: Vec::new() };
        for number in 0..4 + random.below(6) {
            let plan = world.plan(random, number);
            world.plans.push(plan);
        }
        world
    }

    fn plan(&mut self, random: &mut Random, number: usize) -> Plan {
        let dataset = *random.of(&[Dataset::HttpRequests, Dataset::HttpRequests, Dataset::FirewallEvents]);
        let at = START_MS + random.between(0, SPAN_MS);
        let key = format!("logs/{dataset}/20260328/{}_{}_{number:08x}.log.gz", stamp(at), stamp(at + 30_000));
        let share = *random.of(&[0, 300, 500, 700, 1_000]);
        let count = 1 + random.below(30);
        let mut lines: Vec<Line> = (0..count).map(|_| self.line(random, dataset, at, share)).collect();
        if random.chance(100) && share < 1_000 {
            // Others' lines that make the batch have spans.
            let filler = "x".repeat(40_000);
            let more =
                |line: Line| Line { text: line.text.replacen('{', &format!(r#"{{"Filler":"{filler}","#), 1), ..line };
            lines.extend((0..60).map(|_| more(self.line(random, dataset, at, 0))));
        }
        if count > 20 && random.chance(300) {
            lines.push(Line { owner: Owner::Others, text: "no record".into(), cut: None });
        }
        let (is_delivered, is_parked) = (random.chance(300), random.chance(300));
        Plan { dataset, key, lines, is_delivered, is_parked }
    }

    /// A record, which is ours in so many of a thousand cases.
    fn line(&mut self, random: &mut Random, dataset: Dataset, at: i64, ours: u64) -> Line {
        let owner = if random.chance(ours) { Owner::Ours } else { Owner::Others };
        let ms = at + random.between(-20_000, 30_000);
        let known = if owner == Owner::Ours { &self.hidden } else { &self.ours };
        // Some rays are of both.
        let ray =
            if random.chance(60) && !known.is_empty() { random.of(known).clone() } else { random_ray(random, ms) };
        match owner {
            Owner::Ours => self.ours.push(ray.clone()),
            Owner::Others => self.hidden.push(ray.clone()),
        }
        let zone = zone(random, owner);
        let time = if random.chance(900) { start(dataset, ms) } else { String::new() };
        let more = match owner {
            Owner::Ours => r#","Our_Field":1"#,
            Owner::Others if random.chance(300) => r#","Hidden_Field":{"secret":"x"}"#,
            Owner::Others => "",
        };
        let parent = self.parent(random, dataset);
        let text = format!(
            r#"{{"RayID":"{ray}"{parent}{zone}{time},"ClientIP":"192.0.2.{}","EdgeResponseStatus":{}{more}}}"#,
            random.below(9),
            random.of(&[200, 404, 500]),
        );
        // Lots of its own leave those of the world as they are.
        let mut lots = Random::new(ms.unsigned_abs());
        if owner == Owner::Ours && dataset == Dataset::HttpRequests && lots.chance(300) {
            return self.merged(&mut lots, &text, ms);
        }
        Line { owner, text, cut: None }
    }

    /// A record of ours with others inside of it: some of ours, some not.
    fn merged(&mut self, random: &mut Random, record: &str, ms: i64) -> Line {
        let (mut all, mut ours) = (Vec::new(), Vec::new());
        for nth in 0..random.below(5) {
            let owner = if random.chance(500) { Owner::Ours } else { Owner::Others };
            let at = ms + random.between(0, 900_000);
            let ray = random_ray(random, at);
            // What does not say its zone is of that of the record.
            let zone = loop {
                let zone = zone(random, owner);
                if !zone.is_empty() {
                    break zone;
                }
            };
            let parent = self.parent(random, Dataset::HttpRequests);
            let inner = format!(r#"{{"RayID":"{ray}"{parent}{zone},"EdgeResponseStatus":{nth}}}"#);
            match owner {
                Owner::Ours => {
                    self.ours.push(ray);
                    ours.push(inner.clone());
                }
                Owner::Others => self.hidden.push(ray),
            }
            all.push(inner);
        }
        let with = |inner: &[String]| record.replacen('{', &format!(r#"{{"Subrequests":[{}],"#, inner.join(",")), 1);
        Line { owner: Owner::Ours, text: with(&all), cut: Some(with(&ours)) }
    }

    /// A member that names the request which caused this one, of whichever zone.
    fn parent(&self, random: &mut Random, dataset: Dataset) -> String {
        let known = if random.chance(500) { &self.hidden } else { &self.ours };
        if known.is_empty() || random.chance(500) {
            return String::new();
        }
        let name = if dataset == Dataset::HttpRequests { "ParentRayID" } else { "OriginatorRayID" };
        format!(r#","{name}":"{}""#, random.of(known))
    }

    /// The world with the lines that are kept of each dataset; a batch without any is none.
    pub(super) fn build(&self, keeps: impl Fn(Dataset, &Line) -> bool) -> Fakes {
        self.build_of(|dataset, line| keeps(dataset, line).then_some(line.text.as_str()))
    }

    /// The world with our lines alone, and with our records alone inside of them.
    pub(super) fn build_ours(&self) -> Fakes {
        self.build_of(|_, line| {
            (line.owner == Owner::Ours).then_some(line.cut.as_deref().unwrap_or(line.text.as_str()))
        })
    }

    fn build_of(&self, keeps: impl for<'l> Fn(Dataset, &'l Line) -> Option<&'l str>) -> Fakes {
        let fakes = Fakes::new();
        for Plan { dataset, key, lines, is_delivered, is_parked } in &self.plans {
            let kept: Vec<&str> = lines.iter().filter_map(|line| keeps(*dataset, line)).collect();
            if kept.is_empty() {
                continue;
            }
            fakes.bucket.set_clock(START_MS + SPAN_MS);
            let payloads = batch(&fakes, key, &gzip(&ndjson(kept)), Some(wish()));
            for payload in payloads {
                if *is_delivered {
                    deliver(&fakes, &payload);
                } else if *is_parked {
                    park(&fakes, &payload);
                }
            }
        }
        fakes
    }

    /// The keys of all batches.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.plans.iter().map(|plan| plan.key.as_str())
    }
}

fn zone(random: &mut Random, owner: Owner) -> &'static str {
    let ours = [r#","ZoneName":"a.example""#, r#","ClientRequestHost":"www.a.example","ZoneName":"A.example""#];
    let by_host = r#","ClientRequestHost":"x.a.example:8443""#;
    let others = [
        r#","ZoneName":"b.example""#,
        r#","ClientRequestHost":"b.example""#,
        r#","ZoneName":"b.example","ZoneName":"a.example""#,
        r#","ZoneName":7,"ClientRequestHost":"a.example""#,
        "",
    ];
    match owner {
        Owner::Ours if random.chance(300) => by_host,
        Owner::Ours => random.of::<&str>(&ours),
        Owner::Others => random.of::<&str>(&others),
    }
}

fn start(dataset: Dataset, ms: i64) -> String {
    let name = if dataset == Dataset::HttpRequests { "EdgeStartTimestamp" } else { "Datetime" };
    format!(r#","{name}":"{}""#, rfc3339(ms))
}
