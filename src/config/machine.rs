//! What this machine has to give, for the defaults of the transfer.

/// Free memory and cores. A test makes its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Bytes of memory that programs can still take; in a control group, the group's.
    pub free_memory: u64,
    /// Cores this process may use.
    pub cores: u64,
}

impl Machine {
    /// This machine, now. What cannot be learned counts as none, which leads to the smallest defaults.
    pub fn here() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        Self { free_memory: free_memory(), cores }
    }
}

fn free_memory() -> u64 {
    let Ok(mut system) = sysinfo::System::new() else { return 0 };
    system.refresh_memory();
    let free = system.available_memory();
    system.cgroup_limits().map_or(free, |group| free.min(group.free_memory))
}
