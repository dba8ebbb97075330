//! Exit codes, and failures that end a command before it has a drive.

use std::fmt;
use std::process::ExitCode;

/// How the program ends. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every entry stored; renamed and skipped ones count, it was asked for.
    Complete,
    /// A defect of this program.
    Internal,
    /// Usage, configuration or job file.
    Usage,
    /// Drive refused or held.
    NotTaken,
    /// Finished, some entries failed.
    SomeFailed,
    /// Interrupted.
    Interrupted,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::NotTaken => 3,
            Self::SomeFailed => 4,
            Self::Interrupted => 5,
        }
    }

    /// Of several drives, the gravest speaks: 1, 2, 5, 3, 4, 0.
    #[must_use]
    pub fn graver(self, other: Self) -> Self {
        const GRAVEST_FIRST: [Exit; 6] =
            [Exit::Internal, Exit::Usage, Exit::Interrupted, Exit::NotTaken, Exit::SomeFailed, Exit::Complete];
        GRAVEST_FIRST.into_iter().find(|exit| *exit == self || *exit == other).unwrap_or(self)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A command cannot do its work: what is wrong, why, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    lines: Vec<String>,
}

impl Failure {
    /// A failure with its message, the causes below it, and the exit code.
    pub(crate) fn new(exit: Exit, error: &dyn std::error::Error) -> Self {
        Self { exit, lines: vec![chain(error)] }
    }

    /// Arguments, configuration or job file are wrong.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Usage, lines: vec![message.to_string()] }
    }

    /// The same, with its causes.
    pub(crate) fn usage_of(error: &dyn std::error::Error) -> Self {
        Self::new(Exit::Usage, error)
    }

    /// With a message of its own.
    pub(crate) fn with(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, lines: vec![message.to_string()] }
    }

    /// What to do about it.
    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl fmt::Display) -> Self {
        self.lines.push(remedy.to_string());
        self
    }

    /// With the name of the thing that it is about in front.
    #[must_use]
    pub(crate) fn about(mut self, name: impl fmt::Display) -> Self {
        if let Some(first) = self.lines.first_mut() {
            first.insert_str(0, &format!("{name}: "));
        }
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn print(&self) {
        let mut lines = self.lines.iter();
        if let Some(first) = lines.next() {
            // a manifest has a line for each finding
            eprintln!("dockside: error: {}", first.replace('\n', "\n  "));
        }
        for line in lines {
            eprintln!("  remedy: {line}");
        }
    }
}

/// An error with its causes, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_of_several_drives_speaks() {
        let order = [Exit::Internal, Exit::Usage, Exit::Interrupted, Exit::NotTaken, Exit::SomeFailed, Exit::Complete];
        for (rank, grave) in order.iter().enumerate() {
            for light in &order[rank..] {
                assert_eq!(grave.graver(*light), *grave);
                assert_eq!(light.graver(*grave), *grave);
            }
        }
    }
}
