//! A JSON object with lists that are written element by element, so that one of them is rendered at a time.

use serde::Serialize;

use crate::memory::{MemoryBudget, OutOfMemory, Reservation, ReservedBytes, ReservedWriter};

/// An object whose lists are written one after the other.
pub(crate) struct ListDocument {
    body: ReservedWriter,
    is_first: bool,
}

impl ListDocument {
    /// Begins an object with the members of `head` and the list `name`.
    pub(crate) fn begin(memory: &MemoryBudget, head: &impl Serialize, name: &str) -> Result<Self, OutOfMemory> {
        let mut body = ReservedWriter::new(memory);
        let head = serde_json::to_vec(head).unwrap_or_default();
        let head = head.strip_suffix(b"}").unwrap_or(b"{");
        body.push(head)?;
        body.push(if head == b"{" { b"" } else { b"," })?;
        body.push_json(&name)?;
        body.push(b":[")?;
        Ok(Self { body, is_first: true })
    }

    /// Ends the list, and begins another one.
    pub(crate) fn begin_next(&mut self, name: &str) -> Result<(), OutOfMemory> {
        self.body.push(b"],")?;
        self.body.push_json(&name)?;
        self.is_first = true;
        self.body.push(b":[")
    }

    /// Reserves what rendering the next element takes.
    pub(super) fn working_memory(&self, bytes: usize) -> Result<Reservation, OutOfMemory> {
        self.body.working_memory(bytes)
    }

    /// Appends an element.
    pub(crate) fn push(&mut self, element: &impl Serialize) -> Result<(), OutOfMemory> {
        self.body.push(if self.is_first { b"" } else { b"," })?;
        self.is_first = false;
        self.body.push_json(element)
    }

    /// Ends the object with the members of `tail`, and a line feed.
    pub(crate) fn end(mut self, tail: &impl Serialize) -> Result<ReservedBytes, OutOfMemory> {
        let tail = serde_json::to_vec(tail).unwrap_or_default();
        let tail = tail.strip_prefix(b"{").unwrap_or(b"}");
        self.body.push(if tail == b"}" { b"]" } else { b"]," })?;
        self.body.push(tail)?;
        self.body.push(b"\n")?;
        self.body.finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::ListDocument;
    use crate::memory::MemoryBudget;

    #[test]
    fn members_surround_the_list() {
        let memory = MemoryBudget::default();
        let written = |head: Value, elements: &[Value], tail: Value| {
            let mut document = ListDocument::begin(&memory, &head, "list").unwrap();
            for element in elements {
                document.push(element).unwrap();
            }
            String::from_utf8(document.end(&tail).unwrap().to_vec()).unwrap()
        };
        assert_eq!(
            written(json!({"a":1}), &[json!(1), json!({})], json!({"b":2})),
            "{\"a\":1,\"list\":[1,{}],\"b\":2}\n"
        );
        assert_eq!(written(json!({}), &[], json!({})), "{\"list\":[]}\n");
        let mut document = ListDocument::begin(&memory, &json!({}), "a").unwrap();
        document.push(&1).unwrap();
        document.begin_next("b").unwrap();
        document.push(&2).unwrap();
        let text = document.end(&json!({})).unwrap().to_vec();
        assert_eq!(String::from_utf8(text).unwrap(), "{\"a\":[1],\"b\":[2]}\n");
        assert_eq!(memory.available(), MemoryBudget::default().available());
    }
}
