//! The `dockside` program: parse the arguments, hand over to a command.
fn main() {}
