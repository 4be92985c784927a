//! Random bits of the platform, which are unpredictable, and the signature numbers drawn from them.

use std::cell::RefCell;

use wasm_bindgen::prelude::wasm_bindgen;

use crate::limits::SIGNATURE_NUMBERS;
use crate::partner::SignatureNonces;

#[wasm_bindgen]
extern "C" {
    /// Fills the words with random bits. Fails only outside of a handler, where raydex runs no code.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(words: &mut [u32]);
}

thread_local! {
    /// The signature numbers of this isolate.
    static NONCES: RefCell<SignatureNonces> = RefCell::default();
}

/// Returns `N` random words.
fn words<const N: usize>() -> [u32; N] {
    let mut words = [0; N];
    get_random_values(&mut words);
    words
}

/// Returns one random word.
pub(super) fn word() -> u32 {
    let [word] = words();
    word
}

/// Returns a unique name of 128 random bits.
pub(super) fn name() -> String {
    words::<4>().map(|word| format!("{word:08x}")).concat()
}

/// Draws a number for a signature at the instant `now_ms`.
pub(super) fn nonce(now_ms: i64) -> u32 {
    let drawn = NONCES.with_borrow_mut(|nonces| nonces.draw(now_ms / 1000, &mut word));
    // After 100,000 signatures in one second all are drawn, and one repeats.
    drawn.unwrap_or_else(|| word() % SIGNATURE_NUMBERS)
}
