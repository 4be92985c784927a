//! A budget of memory, and the reservations that requests make in it.
//!
//! An isolate has one budget. What a request of a known caller reserves counts three times: in the budget, in the share
//! of its caller, and for the request itself, so that one that alone needs more than a share is refused instead of
//! waiting. Uploads count apart, so that no answer of a caller keeps them out, and they leave answers their half: those of
//! all callers have a share, and those of one caller a share of that.
//!
//! # Invariants
//! The reservations together never exceed the budget, those of one caller's answers never a third of it, those of uploads
//! never more than they leave to answers, and those of one caller's uploads never so much that another's cannot begin; a
//! dropped reservation has returned all of its bytes. Many bytes are reserved only if the allocator has them in one piece.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use super::heap::has_room;
use crate::limits::{BESIDE_UPLOADS, CALLER_SHARES, MEMORY_BUDGET, UPLOAD_BEGUN, UPLOAD_LEAVES};

/// Why bytes cannot be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfMemory {
    /// Other requests hold the requested bytes. They will return them, so a later attempt may succeed.
    #[error("other requests hold the memory that this one needs")]
    Busy,
    /// This request alone would hold more than the share of its caller, so that waiting does not help.
    #[error("this request needs more memory than one caller may hold")]
    TooLarge,
}

/// Who shares a part of the budget.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum ShareKey {
    /// The answers of one caller.
    Answers(String),
    /// The uploads of one caller.
    Uploads(String),
    /// The uploads of all callers.
    AllUploads,
}

/// The bytes that all requests of an isolate may hold at a time. Clones share one budget.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    pool: Rc<MemoryPool>,
    /// The request that reserves; `None` for work that has no caller.
    account: Option<Rc<RequestAccount>>,
}

#[derive(Debug)]
struct MemoryPool {
    available: Cell<usize>,
    /// What the answers of one caller may hold.
    share: usize,
    /// What all uploads may hold.
    upload_share: usize,
    /// What those who have requests in flight hold.
    held: RefCell<BTreeMap<ShareKey, Weak<Cell<usize>>>>,
}

/// What one request holds, and the shares that it counts against.
#[derive(Debug)]
struct RequestAccount {
    pool: Rc<MemoryPool>,
    held: Cell<usize>,
    shares: Vec<Share>,
}

/// A part of the budget.
#[derive(Debug)]
struct Share {
    key: ShareKey,
    held: Rc<Cell<usize>>,
    /// Maximum number of bytes.
    most: usize,
}

impl Drop for RequestAccount {
    fn drop(&mut self) {
        for share in &self.shares {
            if Rc::strong_count(&share.held) == 1 {
                self.pool.held.borrow_mut().remove(&share.key);
            }
        }
    }
}

impl RequestAccount {
    /// Checks that the request and its shares may hold this number of additional bytes, and as many that remain of each.
    fn check(&self, bytes: usize, spare: usize) -> Result<(), OutOfMemory> {
        let fits = |held: usize, most: usize| held.saturating_add(bytes) <= most;
        if !self.shares.iter().all(|share| fits(self.held.get(), share.most)) {
            return Err(OutOfMemory::TooLarge);
        }
        let has_room = |share: &Share| fits(share.held.get().saturating_add(spare), share.most);
        if self.shares.iter().all(has_room) { Ok(()) } else { Err(OutOfMemory::Busy) }
    }

    /// Applies a change to what is held.
    fn change(&self, change: impl Fn(usize) -> usize) {
        for held in self.shares.iter().map(|share| &*share.held).chain([&self.held]) {
            held.set(change(held.get()));
        }
    }
}

impl Default for MemoryBudget {
    /// Returns a budget of [`MEMORY_BUDGET`] bytes.
    fn default() -> Self {
        Self::new(MEMORY_BUDGET)
    }
}

impl MemoryBudget {
    /// Creates a budget of this size in bytes, with nothing reserved.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let (share, held) = (bytes / CALLER_SHARES, RefCell::default());
        let upload_share = bytes.saturating_sub(BESIDE_UPLOADS);
        let pool = MemoryPool { available: Cell::new(bytes), share, upload_share, held };
        Self { pool: Rc::new(pool), account: None }
    }

    /// Returns the budget as one request of this caller sees it: what is reserved in it counts against their share.
    #[must_use]
    pub fn for_request_of(&self, caller: &str) -> Self {
        self.with_account([self.share(ShareKey::Answers(caller.to_owned()), self.pool.share)])
    }

    /// Returns the budget as one upload of this caller sees it: what is reserved in it counts against the share of all
    /// uploads, and against the caller's part of that.
    #[must_use]
    pub fn for_upload_of(&self, caller: &str) -> Self {
        let all = self.pool.upload_share;
        let own = all.saturating_sub(UPLOAD_LEAVES[0] + UPLOAD_BEGUN);
        self.with_account([
            self.share(ShareKey::AllUploads, all),
            self.share(ShareKey::Uploads(caller.to_owned()), own),
        ])
    }

    /// Returns the share with this key, which others may hold bytes of.
    fn share(&self, key: ShareKey, most: usize) -> Share {
        let known = self.pool.held.borrow().get(&key).and_then(Weak::upgrade);
        let held = known.unwrap_or_else(|| {
            let held = Rc::<Cell<usize>>::default();
            self.pool.held.borrow_mut().insert(key.clone(), Rc::downgrade(&held));
            held
        });
        Share { key, held, most }
    }

    fn with_account<const N: usize>(&self, shares: [Share; N]) -> Self {
        let account = RequestAccount { pool: Rc::clone(&self.pool), held: Cell::default(), shares: shares.into() };
        Self { pool: Rc::clone(&self.pool), account: Some(Rc::new(account)) }
    }

    /// Checks that the allocator has this number of bytes in one piece, which are not reserved.
    ///
    /// # Errors
    /// [`OutOfMemory::Busy`] if it does not.
    pub fn check_room(&self, bytes: usize) -> Result<(), OutOfMemory> {
        if has_room(bytes) { Ok(()) } else { Err(OutOfMemory::Busy) }
    }

    /// Returns the number of bytes that can still be reserved.
    #[must_use]
    pub fn available(&self) -> usize {
        self.pool.available.get()
    }

    /// Creates a reservation of 0 bytes, which a request then enlarges.
    #[must_use]
    pub fn reservation(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: Cell::new(0) }
    }

    /// Reserves this number of bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`] if fewer are available.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, OutOfMemory> {
        let reservation = self.reservation();
        reservation.reserve(bytes)?;
        Ok(reservation)
    }
}

/// The bytes reserved by one request. Dropping it returns them.
#[derive(Debug)]
pub struct Reservation {
    budget: MemoryBudget,
    bytes: Cell<usize>,
}

impl Reservation {
    /// Returns the number of reserved bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Returns the budget that the bytes are reserved in.
    #[must_use]
    pub const fn budget(&self) -> &MemoryBudget {
        &self.budget
    }

    /// Reserves this number of additional bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`] if fewer are available; the reservation is unchanged in that case.
    pub fn reserve(&self, bytes: usize) -> Result<(), OutOfMemory> {
        self.reserve_leaving(bytes, 0)
    }

    /// Reserves this number of additional bytes if `spare` bytes of each share remain for others afterwards.
    ///
    /// # Errors
    /// [`OutOfMemory`] if fewer would remain; the reservation is unchanged in that case.
    pub fn reserve_leaving(&self, bytes: usize, spare: usize) -> Result<(), OutOfMemory> {
        let MemoryBudget { pool, account } = &self.budget;
        if let Some(account) = account {
            account.check(bytes, spare)?;
        }
        let rest = pool.available.get().checked_sub(bytes).filter(|_| has_room(bytes)).ok_or(OutOfMemory::Busy)?;
        pool.available.set(rest);
        self.bytes.set(self.bytes.get() + bytes);
        if let Some(account) = account {
            account.change(|held| held + bytes);
        }
        Ok(())
    }

    /// Reserves what this number of bytes exceeds those that are reserved by.
    ///
    /// # Errors
    /// [`OutOfMemory`] if fewer are available; the reservation is unchanged in that case.
    pub fn grow_to(&self, bytes: usize) -> Result<(), OutOfMemory> {
        self.reserve(bytes.saturating_sub(self.bytes.get()))
    }

    /// Returns this number of the reserved bytes, at most all of them.
    pub fn release(&self, bytes: usize) {
        let MemoryBudget { pool, account } = &self.budget;
        let bytes = bytes.min(self.bytes.get());
        self.bytes.set(self.bytes.get() - bytes);
        pool.available.set(pool.available.get() + bytes);
        if let Some(account) = account {
            account.change(|held| held.saturating_sub(bytes));
        }
    }

    /// Parts this number of the reserved bytes from them, at most all.
    #[must_use]
    pub fn split_off(&self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes.get());
        self.bytes.set(self.bytes.get() - bytes);
        Self { budget: self.budget.clone(), bytes: Cell::new(bytes) }
    }

    /// Takes over all bytes of another reservation in the same budget.
    pub fn take_over(&self, other: &Self) {
        self.bytes.set(self.bytes.get() + other.bytes.take());
    }

    /// Returns all reserved bytes but this number.
    pub fn shrink_to(&self, bytes: usize) {
        self.release(self.bytes.get().saturating_sub(bytes));
    }

    /// Returns all reserved bytes.
    pub fn release_all(&self) {
        self.release(self.bytes.get());
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release_all();
    }
}

#[cfg(test)]
mod tests {
    use super::{MemoryBudget, OutOfMemory};
    use crate::limits::{UPLOAD_BEGUN, UPLOAD_BUFFERS, UPLOAD_FULL, UPLOAD_LEAVES};

    const AHEAD: usize = UPLOAD_LEAVES[0];

    #[test]
    fn reservations_stay_within_the_budget_and_return_it() {
        let budget = MemoryBudget::new(100);
        let (one, other) = (budget.reservation(), budget.clone().reservation());
        assert_eq!((one.reserve(60), other.reserve(40)), (Ok(()), Ok(())));
        assert_eq!(one.reserve(1), Err(OutOfMemory::Busy));
        other.release(30);
        other.release(1_000);
        assert_eq!(budget.available(), 40, "no more comes back than was reserved");
        assert_eq!(other.reserve(40), Ok(()));
        one.release_all();
        assert_eq!(budget.available(), 60);
        drop((one, other));
        assert_eq!(budget.available(), 100);
    }

    #[test]
    fn parts_of_a_reservation_add_up_to_it() {
        let budget = MemoryBudget::new(100);
        let whole = budget.reserve(60).unwrap();
        let (part, more) = (whole.split_off(20), whole.split_off(1_000));
        assert_eq!((whole.bytes(), part.bytes(), more.bytes(), budget.available()), (0, 20, 40, 40));
        drop(more);
        assert_eq!(budget.available(), 80);
        whole.take_over(&part);
        drop(part);
        assert_eq!((whole.bytes(), budget.available()), (20, 80));
    }

    #[test]
    fn uploads_leave_others_what_they_need_to_finish() {
        let budget = MemoryBudget::default();
        let upload = |caller: &str| budget.for_upload_of(caller).reservation();
        // All that one caller's uploads can take, whether they begin or have a full part.
        let full = [upload("ann"), upload("ann")];
        assert!(full.iter().all(|full| full.reserve(UPLOAD_FULL) == Ok(())));
        let begun: Vec<_> = std::iter::repeat_with(|| upload("ann")).take(100).collect();
        let begun: Vec<_> = begun.iter().filter(|begun| begun.reserve(UPLOAD_BEGUN).is_ok()).collect();
        assert!((2..5).contains(&begun.len()), "{}", begun.len());
        assert_eq!(upload("ann").reserve_leaving(UPLOAD_BEGUN, AHEAD), Err(OutOfMemory::Busy));
        // Another's begins and ends all the same.
        let other = upload("bob");
        assert_eq!(other.reserve_leaving(UPLOAD_BEGUN, AHEAD), Ok(()));
        assert_eq!(other.grow_to(UPLOAD_FULL), Ok(()));
    }

    #[test]
    fn uploads_that_begin_leave_room_for_one() {
        let budget = MemoryBudget::default();
        let uploads: Vec<_> = (0..100).map(|_| budget.for_upload_of("ann").reservation()).collect();
        let begun = uploads.iter().filter(|upload| upload.reserve_leaving(UPLOAD_BEGUN, AHEAD).is_ok()).count();
        assert!(begun >= 8, "{begun}");
        assert_eq!(uploads[0].reserve_leaving(UPLOAD_BUFFERS[1], UPLOAD_LEAVES[1]), Ok(()), "one can go on");
        assert_eq!(uploads[0].grow_to(UPLOAD_FULL), Ok(()), "and finish");
    }

    #[test]
    fn one_caller_holds_at_most_a_third() {
        let budget = MemoryBudget::new(90);
        let (first, second) = (budget.for_request_of("ann"), budget.for_request_of("ann"));
        let held = first.reserve(20).unwrap();
        assert_eq!(second.reserve(11).err(), Some(OutOfMemory::Busy), "the first request gives it back");
        let rest = second.reserve(10).unwrap();
        assert_eq!(budget.for_request_of("ann").reserve(1).err(), Some(OutOfMemory::Busy));
        assert!(budget.for_request_of("bob").reserve(30).is_ok(), "another caller has a share too");
        drop(held);
        assert!(second.reserve(20).is_ok());
        drop(rest);
        assert_eq!(budget.available(), 90);
    }

    #[test]
    fn request_over_its_share_is_refused() {
        let budget = MemoryBudget::new(90);
        let request = budget.for_request_of("ann");
        let held = request.reserve(25).unwrap();
        assert_eq!(request.reserve(6).err(), Some(OutOfMemory::TooLarge));
        assert_eq!(held.reserve(6), Err(OutOfMemory::TooLarge));
        held.shrink_to(10);
        assert_eq!((held.bytes(), held.reserve(20)), (10, Ok(())));
    }

    #[test]
    fn callers_without_requests_are_forgotten() {
        let budget = MemoryBudget::new(90);
        let (one, other) = (budget.for_request_of("ann"), budget.for_request_of("ann"));
        let held = one.reserve(5).unwrap();
        drop((one, other));
        assert_eq!(budget.pool.held.borrow().len(), 1, "the reservation counts");
        drop(held);
        assert_eq!((budget.pool.held.borrow().len(), budget.available()), (0, 90));
    }
}
