//! Where a drive stands on its way, and the moves between: one function, pure. The ledger keeps the stage before it is acted on.

use std::fmt;

use crate::report::{DriveCode, Leaves};

/// Where a drive stands.
///
/// ```text
///  Attached ─▶ Identified ─▶ Admitted ─▶ Unlocked ─▶ Checked ─▶ Transferring ─▶ Reporting ─▶ Done(status)
///     ▲            │             │           │          │            │              │
///     │            └──────┬──────┴───────────┴──────────┤            │              │
///     │                   ▼                             └─────┬──────┴──────────────┘  (Unlocked too)
///     ├── Held(code) ─────┤  the desk must act                ▼
///     ├── Refused(code) ──┘  the drive itself           Interrupted(cause)  pulled, crash, store down, no space, shutdown
///     └─────────────────────────────────────────────────────┘
/// ```
///
/// | Leaves the line to | from | goes on |
/// |---|---|---|
/// | `Held` | `Attached` to `Checked` | on a change of job or configuration, when asked to retry, on re-plug |
/// | `Refused` | `Attached` to `Checked`; by a defect of the program from any stage | when asked to retry, on re-plug |
/// | `Interrupted` | `Unlocked` to `Reporting` | on re-plug, at the program's start, when the store answers |
///
/// A disk that fails as a whole is reported like one that was read: it goes to `Reporting` from wherever it is. What goes away before
/// `Unlocked` leaves nothing to go on with: it comes back as a new `Attached`. `Done` is the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It is there; we wait for its identity.
    Attached,
    /// Its id is known; we wait for the job that lists it.
    Identified,
    /// Its job is known; we wait for its volume to be found and unlocked.
    Admitted,
    /// Its files can be read; we wait for the manifest to be read, checked, and every name to be settled.
    Unlocked,
    /// Everything is decided; we wait for the transfer to begin.
    Checked,
    /// We wait for every entry to end.
    Transferring,
    /// Every entry has ended; we wait for logs and receipt to be stored.
    Reporting,
    /// All is told. The status is one of four.
    Done(DriveCode),
    /// We wait for the desk.
    Held(DriveCode),
    /// We wait for nothing: the drive goes back, unless somebody asks to retry.
    Refused(DriveCode),
    /// We wait for what broke the run off to pass.
    Interrupted(Cause),
}

/// What breaks a run off that can be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The drive was pulled.
    Pulled,
    /// The program ended without a word.
    Crash,
    /// The store does not answer, or not any more.
    StoreDown,
    /// A disk of this host is full.
    NoSpace,
    /// Somebody asked to stop.
    Shutdown,
    /// A file of the state folder failed.
    StateFolder,
}

impl Cause {
    /// Every cause.
    pub const ALL: &'static [Self] =
        &[Self::Pulled, Self::Crash, Self::StoreDown, Self::NoSpace, Self::Shutdown, Self::StateFolder];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pulled => "Pulled",
            Self::Crash => "Crash",
            Self::StoreDown => "StoreDown",
            Self::NoSpace => "NoSpace",
            Self::Shutdown => "Shutdown",
            Self::StateFolder => "StateFolder",
        }
    }

    /// What to do now: one sentence.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Pulled => "Put the drive back and run the same command again.",
            Self::Crash | Self::Shutdown => "Run the same command again: it goes on where it was.",
            Self::StoreDown => "Run the same command again when the store answers.",
            Self::NoSpace => "Make room, then run the same command again.",
            Self::StateFolder => "See to the disk of the state folder, then run the same command again.",
        }
    }
}

/// What happens to a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Its id was read.
    Identified,
    /// A job lists it, and may be processed.
    Admitted,
    /// Its volume is unlocked and opened.
    Unlocked,
    /// Manifest and names are settled.
    Checked,
    /// The first range is about to be read.
    TransferBegan,
    /// Every entry has ended, or the disk was given up and the rest is told as unread.
    TransferEnded,
    /// Logs and receipt are stored, with this status.
    Reported(DriveCode),
    /// It cannot go on, with this code.
    Halted(DriveCode),
    /// The run broke off.
    Broke(Cause),
    /// A job or the configuration has changed.
    Changed,
    /// Somebody asks for another try.
    RetryAsked,
    /// It was plugged in again.
    Replugged,
    /// The program has started.
    Started,
    /// The store answers again.
    StoreAnswers,
}

/// A move that the drawing does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a drive that is {stage} does not go on by {event}")]
pub struct Refused {
    /// Where it stands, and stays.
    pub stage: Stage,
    /// What happened.
    pub event: Event,
}

impl Stage {
    /// The only place where a drive changes its stage. Pure: no clock, no file, no log.
    pub fn on(self, event: Event) -> Result<Self, Refused> {
        use {Event as E, Stage as S};
        Ok(match (self, event) {
            (S::Attached, E::Identified) => S::Identified,
            (S::Identified, E::Admitted) => S::Admitted,
            (S::Admitted, E::Unlocked) => S::Unlocked,
            (S::Unlocked, E::Checked) => S::Checked,
            (S::Checked, E::TransferBegan) => S::Transferring,
            (S::Transferring, E::TransferEnded) => S::Reporting,
            (S::Reporting, E::Reported(status)) if status.leaves() == Leaves::Ends => S::Done(status),

            (stage, E::Halted(DriveCode::DiskOperationFailed)) if stage.before_transfer() => S::Reporting,
            (stage, E::Halted(DriveCode::InternalError)) if stage.on_the_line() => S::Refused(DriveCode::InternalError),
            (stage, E::Halted(code)) if stage.before_transfer() && code.leaves() == Leaves::Held => S::Held(code),
            (stage, E::Halted(code)) if stage.before_transfer() && code.leaves() == Leaves::Refused => S::Refused(code),
            (S::Unlocked | S::Checked | S::Transferring | S::Reporting, E::Broke(cause)) => S::Interrupted(cause),

            (S::Held(_), E::Changed | E::RetryAsked | E::Replugged)
            | (S::Refused(_), E::RetryAsked | E::Replugged)
            | (S::Interrupted(_), E::Replugged | E::Started | E::StoreAnswers) => S::Attached,

            (stage, event) => return Err(Refused { stage, event }),
        })
    }

    /// Nothing of it is stored yet.
    fn before_transfer(self) -> bool {
        matches!(self, Self::Attached | Self::Identified | Self::Admitted | Self::Unlocked | Self::Checked)
    }

    fn on_the_line(self) -> bool {
        self.before_transfer() || matches!(self, Self::Transferring | Self::Reporting)
    }

    /// The name, as the ledger keeps it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attached => "Attached",
            Self::Identified => "Identified",
            Self::Admitted => "Admitted",
            Self::Unlocked => "Unlocked",
            Self::Checked => "Checked",
            Self::Transferring => "Transferring",
            Self::Reporting => "Reporting",
            Self::Done(_) => "Done",
            Self::Held(_) => "Held",
            Self::Refused(_) => "Refused",
            Self::Interrupted(_) => "Interrupted",
        }
    }

    /// The word beside the name, as the ledger keeps it: a code, or the cause of an interruption.
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::Done(code) | Self::Held(code) | Self::Refused(code) => Some(code.as_str()),
            Self::Interrupted(cause) => Some(cause.as_str()),
            Self::Attached
            | Self::Identified
            | Self::Admitted
            | Self::Unlocked
            | Self::Checked
            | Self::Transferring
            | Self::Reporting => None,
        }
    }

    /// The stage that the ledger has kept; `None` if that is none.
    pub fn of(name: &str, code: Option<&str>) -> Option<Self> {
        const PLAIN: [Stage; 7] = [
            Stage::Attached,
            Stage::Identified,
            Stage::Admitted,
            Stage::Unlocked,
            Stage::Checked,
            Stage::Transferring,
            Stage::Reporting,
        ];
        if let Some(plain) = PLAIN.into_iter().find(|stage| stage.name() == name) {
            return code.is_none().then_some(plain);
        }
        let word = code?;
        if name == "Interrupted" {
            return Cause::ALL.iter().find(|cause| cause.as_str() == word).copied().map(Self::Interrupted);
        }
        let code: DriveCode = word.parse().ok()?;
        match (name, code.leaves()) {
            ("Done", Leaves::Ends) => Some(Self::Done(code)),
            ("Held", Leaves::Held) => Some(Self::Held(code)),
            ("Refused", Leaves::Refused) => Some(Self::Refused(code)),
            _ => None,
        }
    }

    /// What to do now, if somebody has to: one sentence.
    pub fn remedy(self) -> Option<&'static str> {
        match self {
            Self::Done(code) | Self::Held(code) | Self::Refused(code) => Some(code.remedy()),
            Self::Interrupted(cause) => Some(cause.remedy()),
            _ => None,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code() {
            None => f.write_str(self.name()),
            Some(code) => write!(f, "{}({code})", self.name()),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identified => f.write_str("its id being read"),
            Self::Admitted => f.write_str("its job being found"),
            Self::Unlocked => f.write_str("its volume being opened"),
            Self::Checked => f.write_str("its manifest being checked"),
            Self::TransferBegan => f.write_str("the beginning of the transfer"),
            Self::TransferEnded => f.write_str("the end of the transfer"),
            Self::Reported(code) => write!(f, "a report of {code}"),
            Self::Halted(code) => write!(f, "the code {code}"),
            Self::Broke(cause) => write!(f, "an interruption ({})", cause.as_str()),
            Self::Changed => f.write_str("a change of job or configuration"),
            Self::RetryAsked => f.write_str("being asked to retry"),
            Self::Replugged => f.write_str("being plugged in again"),
            Self::Started => f.write_str("the program's start"),
            Self::StoreAnswers => f.write_str("an answer of the store"),
        }
    }
}

#[cfg(test)]
mod tests;
