//! Runs: which clusters hold a stream.
//!
//! In: the packed runs of the parts of a stream, in order. Out: a table that is searched by position, 16 bytes a run. Refused: runs
//! outside the volume, of no or negative length, in number beyond the limit, and any sum that differs from what the part claims.
//!
//! A packed run: a byte with the number of length bytes (low half) and of location bytes (high half), the length in clusters, the
//! location as a signed distance from the run before. No location bytes: a hole. A zero byte ends the list.

use super::attribute::NonResident;
use super::error::Fault;

/// Location of a hole.
const HOLE: u64 = u64::MAX;

/// Where a stretch of a stream begins, in the stream and on the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    vcn: u64,
    lcn: u64,
}

/// The runs of a stream without gaps: from cluster 0 to [`Runs::end`].
#[derive(Debug, Clone, Default)]
pub(super) struct Runs {
    runs: Vec<Run>,
    end: u64,
}

/// A stretch of a stream: from a cluster of it to the end of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// First cluster in the stream.
    pub(super) vcn: u64,
    /// First cluster on the volume; `None` is a hole.
    pub(super) lcn: Option<u64>,
    /// Clusters, at least one.
    pub(super) clusters: u64,
}

/// What runs are checked against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Clusters of the volume.
    pub(super) clusters: u64,
    /// Most clusters of a stream, so that positions in bytes fit 63 bits.
    pub(super) stream: u64,
    /// Most runs of a stream.
    pub(super) runs: u64,
}

impl Runs {
    /// Clusters mapped.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Runs in the table: neighbours that continue each other count as one.
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Adds the next part of the stream.
    pub(super) fn append(&mut self, part: &NonResident<'_>, bounds: Bounds) -> Result<(), Fault> {
        if part.lowest != self.end {
            return Err(Fault::new(part.runs_at, "a part that begins where the one before ended", part.lowest));
        }
        let Some(end) = self.end.checked_add(part.clusters).filter(|&end| end <= bounds.stream) else {
            return Err(Fault::new(part.runs_at, "clusters that fit a stream", part.clusters));
        };
        let mut previous = None;
        for packed in unpack(part.runs, part.runs_at) {
            let Packed { at, clusters, distance } = packed?;
            if clusters > end - self.end {
                return Err(Fault::new(at, "no more clusters than the part claims", clusters));
            }
            let lcn = match distance {
                None => HOLE,
                Some(distance) => {
                    let lcn = place(previous, distance, clusters, bounds.clusters).ok_or(Fault::new(
                        at,
                        "a run inside the volume",
                        distance.unsigned_abs(),
                    ))?;
                    previous = Some(lcn);
                    lcn
                }
            };
            self.push(lcn, clusters);
            if self.runs.len() as u64 > bounds.runs {
                return Err(Fault::new(at, "no more runs than the limit", bounds.runs));
            }
        }
        if self.end != end {
            return Err(Fault::new(part.runs_at, "as many clusters as the part claims", self.end));
        }
        Ok(())
    }

    fn push(&mut self, lcn: u64, clusters: u64) {
        let continues = self.runs.last().is_some_and(|last| match (last.lcn, lcn) {
            (HOLE, HOLE) => true,
            (HOLE, _) | (_, HOLE) => false,
            (before, after) => before + (self.end - last.vcn) == after,
        });
        if !continues {
            self.runs.push(Run { vcn: self.end, lcn });
        }
        self.end += clusters;
    }

    /// Gives back what the table reserved beyond its need.
    pub(super) fn shrink(&mut self) {
        self.runs.shrink_to_fit();
    }

    /// The stretch from cluster `vcn` of the stream on; `None` beyond the end. `hint` is where the last search ended: reading in
    /// order needs no search.
    pub(super) fn at(&self, vcn: u64, hint: &mut usize) -> Option<Span> {
        if vcn >= self.end {
            return None;
        }
        let here = [*hint, hint.saturating_add(1)].into_iter().find(|&run| self.covers(run, vcn));
        let run = here.unwrap_or_else(|| self.runs.partition_point(|run| run.vcn <= vcn).saturating_sub(1));
        *hint = run;
        let Run { vcn: start, lcn } = *self.runs.get(run)?;
        let end = self.run_end(run);
        let lcn = (lcn != HOLE).then(|| lcn + (vcn - start));
        Some(Span { vcn, lcn, clusters: end - vcn })
    }

    /// All stretches in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.runs.iter().enumerate().map(|(number, run)| Span {
            vcn: run.vcn,
            lcn: (run.lcn != HOLE).then_some(run.lcn),
            clusters: self.run_end(number) - run.vcn,
        })
    }

    fn run_end(&self, run: usize) -> u64 {
        self.runs.get(run + 1).map_or(self.end, |next| next.vcn)
    }

    fn covers(&self, run: usize, vcn: u64) -> bool {
        self.runs.get(run).is_some_and(|found| found.vcn <= vcn) && vcn < self.run_end(run)
    }
}

/// The cluster of a run `distance` from the one before. Distance 0 would be the same clusters again: only the very first run may
/// have it, for cluster 0 (`$Boot`).
fn place(previous: Option<u64>, distance: i64, clusters: u64, volume: u64) -> Option<u64> {
    if distance == 0 && previous.is_some() {
        return None;
    }
    let lcn = previous.unwrap_or(0).checked_add_signed(distance)?;
    (lcn.checked_add(clusters)? <= volume).then_some(lcn)
}

/// One run as packed.
struct Packed {
    at: usize,
    clusters: u64,
    distance: Option<i64>,
}

/// Unpacks runs until the end mark; `at` is the byte of the record at which they begin, for faults.
fn unpack(bytes: &[u8], at: usize) -> impl Iterator<Item = Result<Packed, Fault>> + '_ {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let list = rest.take()?;
        let at = at + (bytes.len() - list.len());
        match unpack_one(list, at) {
            Ok(Some((packed, after))) => {
                rest = Some(after);
                Some(Ok(packed))
            }
            Ok(None) => None,
            Err(fault) => Some(Err(fault)),
        }
    })
}

fn unpack_one(list: &[u8], at: usize) -> Result<Option<(Packed, &[u8])>, Fault> {
    // a list that fills its attribute to the last byte needs no end mark
    let Some((&head, body)) = list.split_first().filter(|&(&head, _)| head != 0) else { return Ok(None) };
    let (length, location) = (usize::from(head & 15), usize::from(head >> 4));
    if length == 0 || length > 8 || location > 8 {
        return Err(Fault::new(at, "1 to 8 bytes of length and at most 8 of location", head));
    }
    let cut = || Fault::new(at, "a run that ends inside its attribute", head);
    let (clusters, body) = body.split_at_checked(length).ok_or_else(cut)?;
    let (distance, after) = body.split_at_checked(location).ok_or_else(cut)?;
    let clusters = signed(clusters);
    if clusters <= 0 {
        return Err(Fault::new(at, "a run of one cluster or more", clusters.unsigned_abs()));
    }
    let distance = (location > 0).then(|| signed(distance));
    Ok(Some((Packed { at, clusters: clusters.unsigned_abs(), distance }, after)))
}

/// A little-endian number of up to eight bytes with the sign in its last one.
fn signed(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|&last| last >= 0x80);
    let mut number = [if negative { 0xFF } else { 0 }; 8];
    for (place, &byte) in number.iter_mut().zip(bytes) {
        *place = byte;
    }
    i64::from_le_bytes(number)
}

#[cfg(test)]
mod tests;
