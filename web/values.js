// Values of records as the table of a search shows them, by the rules of src/page/text.rs and src/page/search/rows.rs:
// tests/fixtures/page/texts.json holds for both.

/** The most characters of a value in the table. */
const SHOWN = 200;

/** Characters that have no shape of their own but change what is seen. */
const INVISIBLE = /[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;

/** The text of a value: its beginning, whose characters can all be seen. */
export const shown = (text) => {
  // A character has at most two units.
  const characters = Array.from(text.slice(0, 2 * SHOWN + 2));
  const cut = characters.length > SHOWN ? `${characters.slice(0, SHOWN).join("")}…` : text;
  return cut.replace(INVISIBLE, (found) => `⟨U+${found.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
};

/** The text of what a record has. */
export const textOf = (value) => {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
};
