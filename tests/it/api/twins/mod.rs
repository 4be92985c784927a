//! Twin worlds: the same random world with and without what a caller may not see. Whatever they ask, both answer the
//! same bytes, after the same time.

mod datasets;
mod questions;
mod world;
mod zones;

use raydex::config::{Config, ConfigFault};

use super::support::Fakes;
use super::support::gzip::gzip;
use super::support::random::Random;
use super::{Ask, Reply, story};
use raydex::record::RayId;
use world::World;

/// A deployment with its settings.
type Deployment = Result<Config, Vec<ConfigFault>>;

/// What the twins of a seed answered, for the judge of the test itself.
#[derive(Debug, Default)]
struct Tally {
    questions: usize,
    successes: usize,
    /// Answers of 200 with a record in them.
    with_records: usize,
    pages: usize,
    refused: usize,
    /// Questions that a caller who sees everything is answered differently in the two worlds.
    telling: usize,
}

/// A world and its twin.
struct Twins {
    whole: Fakes,
    narrow: Fakes,
    config: Deployment,
}

impl Twins {
    /// What both answer to a question of this caller; they must not differ.
    fn ask(&self, token: &str, ask: &Ask, blank: fn(&str) -> String) -> (Reply, Reply) {
        let asked = |fakes: &Fakes| {
            let before = fakes.paused_ms.get();
            let authorization = Some(format!("Bearer {token}"));
            let reply = Ask { authorization, ..ask.clone() }.of_deployment(fakes, &self.config);
            (reply, fakes.paused_ms.get() - before)
        };
        let ((one, one_ms), (other, other_ms)) = (asked(&self.whole), asked(&self.narrow));
        let what = format!("{token}: {} {}?{} {}", ask.method, ask.path, ask.query, String::from_utf8_lossy(&ask.body));
        let text = |reply: &Reply| blank(&String::from_utf8_lossy(&reply.body));
        let headers = |reply: &Reply| blank(&format!("{:?}", reply.headers));
        assert_eq!((one.status, headers(&one)), (other.status, headers(&other)), "{what}");
        assert_eq!(text(&one), text(&other), "{what}");
        assert_eq!(one_ms, other_ms, "{what}: the time that passes");
        (one, other)
    }

    /// Asks a question, follows its cursors to the end, and counts what came of it.
    fn follow(&self, tally: &mut Tally, token: &str, ask: &Ask, blank: fn(&str) -> String) {
        tally.questions += 1;
        let (mut one, mut other) = self.ask(token, ask, blank);
        match one.status {
            200 => tally.successes += 1,
            403 => tally.refused += 1,
            _ => {}
        }
        let text = String::from_utf8_lossy(&one.body).into_owned();
        tally.with_records += usize::from(one.status == 200 && text.contains("a.example"));
        // In what a single caller is given, each world continues by its own cursor.
        for _ in 0..200 {
            let [here, there] = [&one, &other].map(cursor);
            let (Some(here), Some(there)) = (here, there) else { return };
            assert_eq!(here.len(), there.len());
            tally.pages += 1;
            let next = |cursor: &str| Ask { query: format!("{}&cursor={cursor}", ask.query), ..ask.clone() };
            let authorization = || Some(format!("Bearer {token}"));
            let reply = |fakes: &Fakes, cursor: &str| {
                Ask { authorization: authorization(), ..next(cursor) }.of_deployment(fakes, &self.config)
            };
            (one, other) = (reply(&self.whole, &here), reply(&self.narrow, &there));
            let texts = [&one, &other].map(|reply| blank(&String::from_utf8_lossy(&reply.body)));
            assert_eq!((one.status, &texts[0]), (other.status, &texts[1]), "{token}: {} after a cursor", ask.query);
            assert_eq!(one.status, 200, "{}", texts[0]);
        }
        panic!("{}: cursors do not end", ask.query);
    }
}

/// A ray of this time.
fn random_ray(random: &mut Random, ms: i64) -> String {
    RayId::at(ms, u32::try_from(random.below(1 << 28)).unwrap()).unwrap().to_string()
}

/// The value of the cursor in a trailer.
fn cursor(reply: &Reply) -> Option<String> {
    let text = String::from_utf8_lossy(&reply.body);
    let (_, rest) = text.rsplit_once("\"cursor\":\"")?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

/// The text with the values blank that stand between a start and the next sign that ends them.
fn without(text: &str, start: &str, is_end: fn(char) -> bool) -> String {
    let mut parts = text.split(start);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(start);
        out.push_str(part.find(is_end).map_or("", |end| part.split_at(end).1));
    }
    out
}

/// Cursors are random bits to their holder.
fn without_cursors(text: &str) -> String {
    without(text, "\"cursor\":\"", |sign| sign == '"')
}

/// Times of requests are no more the same.
fn without_times(text: &str) -> String {
    let is_end = |sign: char| !sign.is_ascii_digit();
    without(&without(text, "\"elapsed_ms\":", is_end), "elapsed_ms=", is_end)
}
