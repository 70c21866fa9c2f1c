//! stub
use crate::workspace::Workspace;
use clap::Args;
use std::process::ExitCode;
#[derive(Args)]
pub(crate) struct Options {}
pub(crate) fn run(_: &Workspace, _: &Options) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
