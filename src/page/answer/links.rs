//! The addresses of an answer's parts: each keeps what else the page was opened with.

use super::AnswerTab;
use super::neighbours_asked::NeighboursAsked;

/// Where the parts of an answer are.
#[derive(Debug, Clone, Default)]
pub(super) struct AnswerLinks {
    kept: Vec<(&'static str, String)>,
}

/// The parameters that choose a page of a large tree: the cursors of its requests and of their records.
const TREE_PAGE: [&str; 2] = ["tree", "records"];

impl AnswerLinks {
    /// Links that keep these parameters.
    pub(super) const fn new(kept: Vec<(&'static str, String)>) -> Self {
        Self { kept }
    }

    /// Returns the address of a tab.
    pub(super) fn tab(&self, tab: AnswerTab) -> String {
        self.part(tab, &[])
    }

    /// Returns the address of the neighbours, or of their next ones.
    pub(super) fn neighbours(&self, asked: NeighboursAsked, cursor: Option<&str>) -> String {
        let within = asked.within_s.to_string();
        let mut more = vec![("by", asked.by.name()), ("within", within.as_str())];
        more.extend(cursor.map(|cursor| ("cursor", cursor)));
        self.part(AnswerTab::Neighbours, &more)
    }

    /// Returns the address of the comparison with another ray.
    pub(super) fn comparison(&self, with: &str) -> String {
        self.part(AnswerTab::Compare, &[("with", with)])
    }

    /// Returns the address of another page of the tree.
    pub(super) fn tree_page(&self, tree: &str, records: Option<&str>) -> String {
        let mut more = vec![("tree", tree)];
        more.extend(records.map(|records| ("records", records)));
        format!("?{}", query(&more, self.beside_tree()))
    }

    /// Returns the address of the first page of the tree; `None` on that page.
    pub(super) fn first_tree_page(&self) -> Option<String> {
        let is_later = self.kept.iter().any(|(name, _)| *name == "tree");
        is_later.then(|| format!("?{}", query(&[("tab", AnswerTab::default().name())], self.beside_tree())))
    }

    /// Returns what a form keeps by fields that are not shown.
    pub(super) fn form_fields(&self) -> impl Iterator<Item = &(&'static str, String)> {
        self.kept.iter().filter(|(name, _)| matches!(*name, "dataset" | "reason"))
    }

    fn beside_tree(&self) -> impl Iterator<Item = &(&'static str, String)> {
        self.kept.iter().filter(|(name, _)| !TREE_PAGE.contains(name))
    }

    fn part(&self, tab: AnswerTab, more: &[(&str, &str)]) -> String {
        let first = [&[("tab", tab.name())], more].concat();
        format!("?{}#parts", query(&first, self.kept.iter()))
    }
}

/// Returns a query of pairs, those that are kept last.
fn query<'a>(first: &[(&str, &str)], kept: impl Iterator<Item = &'a (&'static str, String)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(first).extend_pairs(kept).finish()
}

#[cfg(test)]
mod tests {
    use super::super::AnswerTab;
    use super::AnswerLinks;

    #[test]
    fn links_keep_what_the_page_has() {
        let kept =
            vec![("dataset", "http_requests".to_owned()), ("tree", "T".to_owned()), ("reason", "a&b".to_owned())];
        let links = AnswerLinks::new(kept);
        assert_eq!(links.tab(AnswerTab::Json), "?tab=json&dataset=http_requests&tree=T&reason=a%26b#parts");
        assert_eq!(links.tree_page("U", Some("R")), "?tree=U&records=R&dataset=http_requests&reason=a%26b");
        assert_eq!(links.first_tree_page().as_deref(), Some("?tab=record&dataset=http_requests&reason=a%26b"));
        assert_eq!(AnswerLinks::default().first_tree_page(), None);
    }
}
