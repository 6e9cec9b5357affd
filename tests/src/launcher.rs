//! Two processes of one run, started as torchrun starts them.

use super::{Ran, Running};
use std::net::TcpListener;
use std::process::Command;

/// Starts both commands, the first as process 0, and waits for them.
///
/// # Panics
/// Where this machine has no free port.
pub fn pair(commands: [Command; 2]) -> [Ran; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port().to_string();
    drop(listener);
    let mut rank = 0;
    let running = commands.map(|mut command| {
        let own = rank.to_string();
        rank += 1;
        command.envs([("RANK", own.as_str()), ("LOCAL_RANK", &own), ("WORLD_SIZE", "2"), ("LOCAL_WORLD_SIZE", "2")]);
        Running::start(command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", &port))
    });
    running.map(Running::finish)
}
