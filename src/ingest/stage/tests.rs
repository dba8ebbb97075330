//! The full grid of stages and events against a table written by hand; what the table does not have is refused.

use std::collections::BTreeSet;

use super::*;

const LINE: [Stage; 7] =
    [Stage::Attached, Stage::Identified, Stage::Admitted, Stage::Unlocked, Stage::Checked, Stage::Transferring, Stage::Reporting];

fn codes(leaves: Leaves) -> impl Iterator<Item = DriveCode> {
    DriveCode::ALL.iter().copied().filter(move |code| code.leaves() == leaves)
}

fn stages() -> Vec<Stage> {
    let mut all = LINE.to_vec();
    all.extend(codes(Leaves::Ends).map(Stage::Done));
    all.extend(codes(Leaves::Held).map(Stage::Held));
    all.extend(codes(Leaves::Refused).map(Stage::Refused));
    all.extend(Cause::ALL.iter().copied().map(Stage::Interrupted));
    all
}

fn events() -> Vec<Event> {
    use Event as E;
    let mut all = vec![E::Identified, E::Admitted, E::Unlocked, E::Checked, E::TransferBegan, E::TransferEnded];
    all.extend([E::Changed, E::RetryAsked, E::Replugged, E::Started, E::StoreAnswers]);
    all.extend(DriveCode::ALL.iter().flat_map(|code| [E::Reported(*code), E::Halted(*code)]));
    all.extend(Cause::ALL.iter().copied().map(E::Broke));
    all
}

/// The moves by name: a stage, the event, where it leads. `code` stands for any held, refused or ending code.
const MOVES: &str = "
    Attached     identified Identified
    Identified   admitted   Admitted
    Admitted     unlocked   Unlocked
    Unlocked     checked    Checked
    Checked      began      Transferring
    Transferring ended      Reporting
    Reporting    reported   Done

    Attached     held       Held
    Identified   held       Held
    Admitted     held       Held
    Unlocked     held       Held
    Checked      held       Held

    Attached     refused    Refused
    Identified   refused    Refused
    Admitted     refused    Refused
    Unlocked     refused    Refused
    Checked      refused    Refused

    Attached     defect     Refused
    Identified   defect     Refused
    Admitted     defect     Refused
    Unlocked     defect     Refused
    Checked      defect     Refused
    Transferring defect     Refused
    Reporting    defect     Refused

    Attached     disk       Reporting
    Identified   disk       Reporting
    Admitted     disk       Reporting
    Unlocked     disk       Reporting
    Checked      disk       Reporting

    Unlocked     broke      Interrupted
    Checked      broke      Interrupted
    Transferring broke      Interrupted
    Reporting    broke      Interrupted

    Held         changed    Attached
    Held         retry      Attached
    Held         replugged  Attached
    Refused      retry      Attached
    Refused      replugged  Attached
    Interrupted  replugged  Attached
    Interrupted  started    Attached
    Interrupted  store      Attached
";

/// The event's name in the table; `None` for a code that no event of that kind has.
fn name(event: Event) -> Option<&'static str> {
    Some(match event {
        Event::Identified => "identified",
        Event::Admitted => "admitted",
        Event::Unlocked => "unlocked",
        Event::Checked => "checked",
        Event::TransferBegan => "began",
        Event::TransferEnded => "ended",
        Event::Reported(code) => return (code.leaves() == Leaves::Ends).then_some("reported"),
        Event::Halted(DriveCode::InternalError) => "defect",
        Event::Halted(DriveCode::DiskOperationFailed) => "disk",
        Event::Halted(code) => match code.leaves() {
            Leaves::Held => "held",
            Leaves::Refused => "refused",
            Leaves::Ends => return None,
        },
        Event::Broke(_) => "broke",
        Event::Changed => "changed",
        Event::RetryAsked => "retry",
        Event::Replugged => "replugged",
        Event::Started => "started",
        Event::StoreAnswers => "store",
    })
}

/// The code that an event brings along.
fn brought(event: Event) -> Option<&'static str> {
    match event {
        Event::Reported(code) | Event::Halted(code) => Some(code.as_str()),
        Event::Broke(cause) => Some(cause.as_str()),
        _ => None,
    }
}

#[test]
fn the_whole_grid_is_as_drawn() {
    let moves: Vec<[&str; 3]> = MOVES
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.split_whitespace().collect::<Vec<_>>().try_into().unwrap())
        .collect();
    let mut used = BTreeSet::new();
    for stage in stages() {
        for event in events() {
            let drawn =
                name(event).and_then(|event| moves.iter().position(|[from, by, _]| *from == stage.name() && *by == event));
            match (stage.on(event), drawn) {
                (Err(refused), None) => assert_eq!(refused, Refused { stage, event }),
                (Ok(next), Some(place)) => {
                    assert_eq!(next.name(), moves[place][2], "{stage:?} {event:?}");
                    let code = if next == Stage::Reporting { None } else { brought(event) };
                    assert_eq!(next.code(), code, "{stage:?} {event:?}");
                    used.insert(place);
                }
                (got, drawn) => panic!("{stage:?} {event:?}: {got:?}, drawn: {drawn:?}"),
            }
        }
    }
    assert_eq!(used.len(), moves.len(), "every move of the table was made");
}

#[test]
fn every_stage_is_kept_by_name_and_code() {
    let mut seen = BTreeSet::new();
    for stage in stages() {
        assert_eq!(Stage::of(stage.name(), stage.code()), Some(stage));
        assert!(seen.insert((stage.name(), stage.code())), "{stage} stands for one stage only");
    }
    for (name, code) in [
        ("Lost", None),
        ("Held", None),
        ("Held", Some("Completed")),
        ("Done", Some("ManifestNotFound")),
        ("Interrupted", Some("Completed")),
        ("Attached", Some("Completed")),
    ] {
        assert_eq!(Stage::of(name, code), None, "{name} {code:?}");
    }
}

#[test]
fn a_refused_move_is_told_in_a_sentence() {
    let refused = Stage::Done(DriveCode::Completed).on(Event::RetryAsked).unwrap_err();
    assert_eq!(refused.to_string(), "a drive that is Done(Completed) does not go on by being asked to retry");
}
