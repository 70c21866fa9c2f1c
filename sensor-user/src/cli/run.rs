//! `run`: the service.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};

use super::{
    canary, log,
    own_limits::OwnLimits,
    program::{ConfigFile, runtime},
};
use crate::{
    agent::{
        Agent, AgentOptions, Control, Evidence, LockError, Own, RememberedFile, RunLock, SelfTestOptions,
        WatchedUntil, run_on_thread,
    },
    config::{Config, Network, Policy},
    forward::Outbox,
    kernel::{Kernel, LoadOptions},
    metrics::{Listener, Published},
    sign::{BootId, Identity},
};

/// How long the end may take for what is not sent yet; the rest waits in the spool for the next start.
const FAREWELL: Duration = Duration::from_secs(2);

/// Watches this host: loads the probes, labels the credentials of the catalogue, and forwards signed events to the detector. What cannot be
/// forwarded waits in the spool. One per host. Ends with SIGTERM or Ctrl-C; tells systemd when it watches. SIGHUP has it read the catalogue's
/// files again: nothing that stays goes unwatched meanwhile, and where one of them is wrong what held before goes on holding (`status` says so).
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    #[command(flatten)]
    config: ConfigFile,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (config, policy) = Config::load_with_policy(self.config.config.as_deref())?;
        log::start(&config.log);
        warn_of(&policy);
        // A directory that is not to be trusted is a matter of configuration, not of another sensor.
        let waits = |pid: &str| tracing::info!(pid, "another sensor is ending; waiting for its end");
        let _lock = RunLock::take(&config.runtime_dir, waits).map_err(|why| match why {
            LockError::Untrusted(why) => anyhow::Error::from(why),
            why => why.into(),
        })?;
        let identity = Identity::load(&config.state_dir)?;
        // Before anything is loaded: a mistake in the configuration costs nothing.
        let listener = config.metrics.listen.map(Listener::bind).transpose();
        let listener = listener.with_context(|| self.config.path().display().to_string())?;
        runtime()?.block_on(serve(self.config, config, policy, identity, listener))
    }
}

async fn serve(
    file: ConfigFile,
    config: Config,
    policy: Policy,
    identity: Identity,
    listener: Option<Listener>,
) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut own_limits = OwnLimits::take()?;
    let kernel = Kernel::load(&LoadOptions {
        file_open_hooks: config.probes.file_open_hooks.clone(),
        compat_calls: config.probes.compat_calls,
        network: config.probes.network != Network::Off,
        ring_bytes: config.probes.ring_bytes,
        max_labelled_files: config.catalogue.max_labelled_files,
        canary_command: canary::command(),
        ..LoadOptions::default()
    })?;
    let boot_id = BootId::current().context("reading the boot id; is /proc mounted?")?;
    let (outbox, lost) = Outbox::open(&config, identity, boot_id)?;
    let metrics = listener.is_some().then(Published::default);
    let agent = Agent::start(
        kernel,
        Evidence::new(outbox, lost),
        AgentOptions {
            host: config.effective_host_name(),
            batch_max_events: config.batch.max_events,
            batch_max_delay: config.batch.max_delay,
            eager: false,
            rescan_interval: config.catalogue.rescan_interval,
            search_interval: Some(config.catalogue.search_interval),
            look_interval: Some(config.probes.look_interval),
            extra_homes: config.catalogue.extra_homes.clone(),
            policy,
            all_tls: config.probes.network == Network::All,
            self_test: Some(SelfTestOptions {
                interval: config.probes.self_test_interval,
                canary_command: canary::command(),
            }),
            own: Own::of_service(Some(file.path()), &config),
            runtime_dir: Some(config.runtime_dir.clone()),
            watched_until: Some(WatchedUntil::in_state_dir(&config.state_dir)),
            remembered: Some(RememberedFile::in_state_dir(&config.state_dir)),
            metrics: metrics.clone(),
            report_itself: true,
        },
    )
    .await?;
    for state in agent.probes() {
        match &state.hook {
            Some(hook) => tracing::info!(probe = state.probe.word(), %hook, "watching"),
            None => {
                tracing::warn!(probe = state.probe.word(), refused = ?state.refused, "not watching: no hook works here");
            }
        }
    }
    if let (Some(listener), Some(metrics)) = (listener, metrics) {
        listener.serve(metrics)?;
    }
    let labelled = agent.scanned();
    tracing::info!(
        files = labelled.files,
        directories = labelled.directories,
        "credentials labelled; the host is watched"
    );
    tell_systemd(&[NotifyState::Ready]);

    let (control, controlled) = mpsc::channel(4);
    let mut running = run_on_thread(agent, controlled, config.probes.priority_boost)
        .context("starting the agent's thread")?;
    let ended = loop {
        tokio::select! {
            _ = interrupt.recv() => break None,
            _ = terminate.recv() => break None,
            _ = hangup.recv() => reload(&file, &config, &control).await,
            () = own_limits.lift() => {}
            ended = &mut running => break Some(ended),
        }
    };
    tell_systemd(&[NotifyState::Stopping]);
    let ended = match ended {
        Some(ended) => ended,
        None => {
            // An agent that has just ended by itself tells by what it returns.
            let _ended = control.send(Control::Stop).await;
            running.await
        }
    };
    let (sink, _accounts) = ended.context("the agent's thread ended early")??;
    sink.into_outbox().flush_and_stop(FAREWELL).await;
    tracing::info!("stopped; what was not sent waits in the spool");
    Ok(ExitCode::SUCCESS)
}

/// Takes what changed in the catalogue's files.
async fn reload(file: &ConfigFile, running: &Config, control: &mpsc::Sender<Control>) {
    // A clock that cannot be read is no reason not to reload.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell_systemd(&[NotifyState::Reloading, now]),
        Err(_) => tell_systemd(&[NotifyState::Reloading]),
    }
    match Config::load_with_policy(file.config.as_deref()) {
        Ok((mut config, policy)) => {
            warn_of(&policy);
            config
                .catalogue
                .directory
                .clone_from(&running.catalogue.directory);
            if config != *running {
                tracing::warn!(
                    "settings changed too; they hold from the next start on, only the catalogue's files are read again"
                );
            }
            let (done, in_force) = oneshot::channel();
            // An agent that has just ended tells by what it returns.
            let _ended = control.send(Control::Policy(Box::new(policy), done)).await;
            tokio::spawn(async move {
                // Taken or not, it goes on.
                let _refused = in_force.await;
                tell_systemd(&[NotifyState::Ready]);
            });
        }
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::from(error));
            tracing::error!(%error, "the catalogue's files are wrong; what held before goes on holding");
            let _ended = control.send(Control::PolicyRefused(error)).await;
            tell_systemd(&[NotifyState::Ready]);
        }
    }
}

fn warn_of(policy: &Policy) {
    for warning in &policy.warnings {
        tracing::warn!("{warning}");
    }
}

fn tell_systemd(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}
