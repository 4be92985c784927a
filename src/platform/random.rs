//! Random bits, and the numbers of signatures that are drawn from them.
//!
//! Bits are the platform's own, which are unpredictable.

use std::cell::RefCell;

use wasm_bindgen::prelude::wasm_bindgen;

use crate::limits::SIGNATURE_NUMBERS;
use crate::partner::SignatureNonces;

#[wasm_bindgen]
extern "C" {
    /// Fills the words with random bits. It refuses only outside of a handler, where nothing of ours runs.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(words: &mut [u32]);
}

thread_local! {
    /// The numbers of this isolate's signatures.
    static NONCES: RefCell<SignatureNonces> = RefCell::default();
}

/// `N` random words.
fn words<const N: usize>() -> [u32; N] {
    let mut words = [0; N];
    get_random_values(&mut words);
    words
}

/// One random word.
pub(super) fn word() -> u32 {
    let [word] = words();
    word
}

/// A unique name: 128 random bits.
pub(super) fn name() -> String {
    words::<4>().map(|word| format!("{word:08x}")).concat()
}

/// A number for a signature at the instant `now_ms`.
pub(super) fn nonce(now_ms: i64) -> u32 {
    let drawn = NONCES.with_borrow_mut(|nonces| nonces.draw(now_ms / 1000, &mut word));
    // After 100,000 signatures in one second all are drawn: then one comes twice.
    drawn.unwrap_or_else(|| word() % SIGNATURE_NUMBERS)
}
