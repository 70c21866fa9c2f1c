//! The program, as people and other programs call it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger-detector"));
    command
        .env_remove("NOTIFY_SOCKET")
        .env_remove("CLAVIGER_LOG")
        .stdin(Stdio::null());
    command
}

pub(crate) fn run(data_dir: &Path, arguments: &[&str]) -> Output {
    program()
        .args(arguments)
        .arg("--data-dir")
        .arg(data_dir)
        .output()
        .expect("runs")
}

pub(crate) fn json_lines(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).expect("is text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("is JSON"))
        .collect()
}

pub(crate) fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
