//! Inflating that stops at the ends of deflate blocks, and that can begin at one: the two things that an access point
//! needs, and that flate2 does not have.
//!
//! `libz-rs-sys` is the zlib interface of the very inflater that flate2 uses here (`zlib-rs`), so all of its calls are
//! `unsafe`. This file is the only one that makes them.
//!
//! What always holds: a pointer is handed over for one call alone, together with the length of the slice it was made
//! of; the state is freed once; bytes of any kind end in a [`Step`] or in [`Damaged`].
#![expect(unsafe_code, reason = "zlib's interface takes pointers; each call says why it may")]

use std::ffi::c_int;
use std::fmt;
use std::ptr;

use libz_rs_sys as z;

/// The bytes are no deflate stream; so many of the input were taken until that showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged(pub(super) usize);

/// What stands around the deflate stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A gzip header, and a checksum and a length behind, which are stepped over: whoever has the text verifies them.
    Gzip,
    /// Nothing.
    Raw,
}

impl Form {
    /// How zlib's interface says it: the window's power of two, 15, with 16 added for gzip or negative for nothing.
    const fn window_bits(self) -> c_int {
        match self {
            Self::Gzip => 31,
            Self::Raw => -15,
        }
    }
}

/// What one call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Bytes taken of the input.
    pub(super) used: usize,
    /// Bytes written to the output.
    pub(super) made: usize,
    /// The stream has come to its end, and what stands behind it was taken.
    pub(super) end: bool,
    /// The call stopped at the beginning of a block that is not the stream's end; so many bits of the last byte taken
    /// belong to it.
    pub(super) block: Option<u8>,
}

/// An inflater.
pub(super) struct Zlib {
    stream: Box<z::z_stream>,
    /// The header has not come to its end, which may have a checksum of its own.
    in_header: bool,
}

impl fmt::Debug for Zlib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zlib").finish_non_exhaustive()
    }
}

impl Zlib {
    /// An inflater before the first byte.
    pub(super) fn new(form: Form) -> Self {
        let mut stream = Box::<z::z_stream>::default();
        let size = c_int::try_from(size_of::<z::z_stream>()).unwrap_or_default();
        // SAFETY: the stream is a live one of the very type and size named. It is boxed, since the state may point back
        // to it. Where this fails (no memory), the state stays null, and every other call answers with an error.
        let _code = unsafe { z::inflateInit2_(&raw mut *stream, form.window_bits(), z::zlibVersion(), size) };
        Self { stream, in_header: form == Form::Gzip }
    }

    /// Makes it as new.
    pub(super) fn reset(&mut self, form: Form) {
        // SAFETY: the stream was initialised by `new`, or its state is null, which the call checks.
        let _code = unsafe { z::inflateReset2(&raw mut *self.stream, form.window_bits()) };
        self.in_header = form == Form::Gzip;
    }

    /// Begins in the midst of a raw stream: behind `window`, with the `bits` high bits of `byte`.
    pub(super) fn resume(&mut self, window: &[u8], bits: u8, byte: u8) {
        self.reset(Form::Raw);
        let (length, value) = (length_of(window), i32::from(byte) >> (8 - bits.min(8)));
        // SAFETY: the pointer and the length are those of a live slice, which is copied. The stream is as above.
        let _code = unsafe { z::inflateSetDictionary(&raw mut *self.stream, window.as_ptr(), length) };
        if bits > 0 {
            // SAFETY: no pointer but the stream, which is as above.
            let _code = unsafe { z::inflatePrime(&raw mut *self.stream, bits.into(), value) };
        }
    }

    /// Inflates until the input or the output is used up, a block ends or the stream does.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Damaged> {
        let stream = &mut *self.stream;
        let (most_in, most_out) = (length_of(input), length_of(output));
        (stream.next_in, stream.avail_in) = (input.as_ptr(), most_in);
        (stream.next_out, stream.avail_out) = (output.as_mut_ptr(), most_out);
        // SAFETY: both pointers are those of live slices, with lengths that are not beyond theirs; `output` is borrowed
        // for us alone, so the two do not overlap. The stream is as above.
        let code = unsafe { z::inflate(&raw mut *stream, z::Z_BLOCK) };
        let (used, made) = (most_in - stream.avail_in, most_out - stream.avail_out);
        // Nothing of the slices is kept behind the call.
        (stream.next_in, stream.avail_in) = (ptr::null(), 0);
        (stream.next_out, stream.avail_out) = (ptr::null_mut(), 0);
        let end = code == z::Z_STREAM_END;
        if !end && code != z::Z_OK && code != z::Z_BUF_ERROR {
            return Err(Damaged(used as usize));
        }
        // 128: at the beginning of a block. 64: that was the last one. Below: bits not yet used.
        let begins = !end && stream.data_type & (128 | 64) == 128;
        if begins && self.in_header {
            // SAFETY: no pointer but the stream, which is as above. It stops summing up what it makes.
            let _code = unsafe { z::inflateValidate(&raw mut *stream, 0) };
            self.in_header = false;
        }
        let block = begins.then(|| u8::try_from(stream.data_type & 63).ok()).flatten();
        Ok(Step { used: used as usize, made: made as usize, end, block })
    }
}

impl Drop for Zlib {
    fn drop(&mut self) {
        // SAFETY: the stream was initialised by `new` and is freed here alone; a null state is checked.
        let _code = unsafe { z::inflateEnd(&raw mut *self.stream) };
    }
}

/// The length of a slice, as far as zlib can take it in one call.
fn length_of(slice: &[u8]) -> u32 {
    u32::try_from(slice.len()).unwrap_or(u32::MAX)
}
